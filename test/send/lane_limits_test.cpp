// Lane: its limits, and the upstream's that lanes share.
#include "send/lane_fixture.hpp"

namespace relayd::send {
namespace {

TEST_F(LaneTest, KeepsItsPace) {
  limits.rates = {{30, 1min}};
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  EXPECT_EQ(waiting(*lane), 2U);
  finish(1);
  loop.advance(1999ms);
  EXPECT_EQ(waiting(*lane), 2U);
  loop.advance(1ms);
  EXPECT_EQ(world.log.back(), "1: send 2");
  loop.advance(2s);
  EXPECT_EQ(waiting(*lane), 0U);
  end(*lane);
}

TEST_F(LaneTest, ThirtyAMinuteAreThirtyHoweverManyConnections) {
  limits.rates = {{30, 1min}};
  const auto lane = make_lane();
  for (std::uint64_t message = 1; message <= 100; ++message) enqueue(*lane, Ticket{message, 1});
  loop.run();
  for (int tick = 0; tick < 600; ++tick) {
    const std::map<int, FakeTransport*> connections = world.connections;
    for (const auto& [number, transport] : connections)
      if (!transport->idling()) transport->finish();
    loop.advance(100ms);
  }
  EXPECT_THAT(desk.settled, SizeIs(30));
  end(*lane);
}

TEST_F(LaneTest, SplitsByRecipients) {
  limits.recipients_per_message = 50;
  const auto lane = make_lane();
  enqueue(*lane, Ticket{1, 120});
  loop.run();
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 50)));
  end(*lane);
}

TEST_F(LaneTest, AUsedUpQuotaClosesTheLaneUntilItsReset) {
  quota->use({{3, config::Quota::Period::day}}, loop.wall_now());
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  enqueue(*lane, Ticket{2, 5});
  enqueue(*lane, Ticket{3, 1});
  loop.run();
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 1), testing::Pair(2, 2)));
  EXPECT_FALSE(lane->open());
  EXPECT_EQ(waiting(*lane), 1U);
  EXPECT_EQ(lane->closed_until() - loop.now(), 1min);  // what is under way may come back
  finish(1);
  EXPECT_THAT(desk.settled, SizeIs(2));
  EXPECT_FALSE(desk.is_open);
  loop.advance(24h);
  EXPECT_TRUE(desk.is_open);
  EXPECT_EQ(waiting(*lane), 0U);
  end(*lane);
}

TEST_F(LaneTest, WhatWasNotTakenCostsNoQuota) {
  quota->use({{10, config::Quota::Period::day}}, loop.wall_now());
  const auto lane = make_lane();
  enqueue(*lane, {1});
  EXPECT_EQ(quota->left(loop.wall_now()), 9U);
  finish(1, Event(Stage::rcpt, {550, {}, "No"}));
  EXPECT_EQ(quota->left(loop.wall_now()), 10U);
  end(*lane);
}

TEST_F(LaneTest, AMessageToManyIsOneOfAMinutesMessages) {
  limits.rates = {{30, 1min, config::Counted::messages}};
  limits.recipients_per_message = 500;
  const auto lane = make_lane();
  enqueue(*lane, Ticket{1, 500});
  enqueue(*lane, Ticket{2, 500});
  loop.run();
  EXPECT_THAT(desk.loaded, SizeIs(1));
  loop.advance(2s);
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 500), testing::Pair(2, 500)));
  end(*lane);
}

TEST_F(LaneTest, ABoundOfRecipientsSplits) {
  limits.rates = {{1000, 1min}, {40, 1h}};
  const auto lane = make_lane();
  enqueue(*lane, Ticket{1, 60});
  enqueue(*lane, Ticket{2, 10});
  loop.run();
  loop.advance(59min);
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 40)));
  loop.advance(3min);
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 40), testing::Pair(2, 10)));
  end(*lane);
}

TEST_F(LaneTest, AConnectionCarriesSoManyRecipients) {
  limits.connections = 1;
  limits.recipients_per_connection = 50;
  const auto lane = make_lane();
  enqueue(*lane, Ticket{1, 30});
  enqueue(*lane, Ticket{2, 30});
  enqueue(*lane, Ticket{3, 80});
  loop.run();
  finish(1);
  finish(1);
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 30), testing::Pair(2, 20), testing::Pair(3, 50)));
  EXPECT_THAT(world.log,
              ElementsAre("1: open", "1: send 1", "1: send 2", "1: close", "2: open", "2: send 3"));
  end(*lane);
}

TEST_F(LaneTest, KeepsToTheCapsThatItsSiteHasLearnt) {
  limits.connections = 3;
  const auto learn = [this](smtp::Cap cap, std::uint32_t most) {
    EXPECT_TRUE(site->learnt.learn({cap, most, true}, loop.now()));
  };
  learn(smtp::Cap::connections, 2);
  learn(smtp::Cap::messages_per_connection, 2);
  learn(smtp::Cap::recipients_per_connection, 60);
  learn(smtp::Cap::recipients_per_message, 40);
  const auto lane = make_lane();
  EXPECT_EQ(lane->allowed_connections(), 2U);
  learn(smtp::Cap::connections_total, 1);
  enqueue(*lane, Ticket{1, 100});
  enqueue(*lane, Ticket{2, 30});
  enqueue(*lane, Ticket{3, 10});
  loop.run();
  finish(1);
  finish(1);
  finish(2);
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 40), testing::Pair(2, 20), testing::Pair(3, 10)));
  EXPECT_THAT(world.log,
              ElementsAre("1: open", "1: send 1", "1: send 2", "1: close", "2: open", "2: send 3"));
  end(*lane);
}

TEST_F(LaneTest, SaysWhatTheConnectionHadCarried) {
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, Ticket{1, 7});
  enqueue(*lane, Ticket{2, 2});
  loop.run();
  finish(1);
  finish(1);
  EXPECT_THAT(desk.carried, ElementsAre(testing::Pair(0, 0), testing::Pair(1, 7)));
  end(*lane);
}

// Its host's name may lead elsewhere by now.
TEST_F(LaneTest, AConnectionEndsWhenItIsOld) {
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  loop.run();
  loop.advance(9min);
  finish(1);
  loop.advance(1min);
  finish(1);
  EXPECT_THAT(world.log,
              ElementsAre("1: open", "1: send 1", "1: send 2", "1: close", "2: open", "2: send 3"));
  end(*lane);
}

TEST_F(LaneTest, AWarmConnectionCarriesWhatItHasLeft) {
  limits.connections = 1;
  limits.recipients_per_connection = 50;
  const auto lane = make_lane();
  enqueue(*lane, Ticket{1, 45});
  loop.run();
  finish(1);
  EXPECT_EQ(lane->idle_connections(), 1U);
  enqueue(*lane, Ticket{2, 10});
  loop.run();
  EXPECT_THAT(desk.loaded, ElementsAre(testing::Pair(1, 45), testing::Pair(2, 5)));
  end(*lane);
}

TEST_F(LaneTest, AccountsShareTheUpstreamsQuota) {
  const auto total = std::make_shared<Allowance>();
  total->use({{2, config::Quota::Period::sliding, 24h, config::Counted::messages}}, loop.wall_now());
  quota->share(total);
  const auto ann = make_lane();
  quota = std::make_shared<Allowance>();
  quota->share(total);
  const auto bob = make_lane();
  enqueue(*ann, {1});
  enqueue(*bob, {2});
  EXPECT_FALSE(ann->open());
  finish(1, Event(Stage::rcpt, {550, {}, "No"}));
  EXPECT_TRUE(bob->open());
  finish(2);
  enqueue(*ann, {3});
  finish(1);
  EXPECT_FALSE(ann->open());
  EXPECT_FALSE(bob->open());
  EXPECT_GT(bob->closed_until() - loop.now(), 24h);
  loop.advance(25h);
  EXPECT_TRUE(bob->open());
  end(*ann);
  end(*bob);
}

TEST_F(LaneTest, TooManyConnectionsAreOneLessForAMinute) {
  limits.connections = 3;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_TRUE(lane->use_fewer_connections());
  EXPECT_EQ(lane->allowed_connections(), 2U);
  finish(3, Event(Stage::mail, {421, {}, "Too many"}), false);
  EXPECT_EQ(busy(), 2);
  loop.advance(60s);
  EXPECT_EQ(lane->allowed_connections(), 3U);
  end(*lane);
}

TEST_F(LaneTest, ALastConnectionIsNotTakenAway) {
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1});
  EXPECT_FALSE(lane->use_fewer_connections());
  end(*lane);
}

// --- an upstream's site ---

TEST_F(LaneTest, LanesShareTheUpstreamsConnections) {
  site->limit = 2;
  const auto first = make_lane();
  const auto second = make_lane();
  enqueue(*first, {1, 2});
  enqueue(*second, {3});
  EXPECT_EQ(waiting(*second), 1U);
  EXPECT_EQ(site->used, 2U);
  finish(1, Event(Stage::data, {421, {}, "Stopping"}), false);
  EXPECT_EQ(waiting(*second), 0U);
  EXPECT_EQ(world.log.back(), "3: send 3");
  EXPECT_EQ(site->used, 2U);
  first->shut_down();
  first->abort();
  loop.run();
  end(*second);
}

// --- the end ---

TEST_F(LaneTest, ShutDownFinishesWhatIsUnderWay) {
  limits.connections = 2;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  finish(2);
  enqueue(*lane, {3, 4});
  lane->shut_down();
  EXPECT_EQ(waiting(*lane), 1U);
  EXPECT_FALSE(lane->open());
  Task<void> drained = lane->drained();
  drained.start();
  finish(1);
  EXPECT_FALSE(drained.done());
  finish(2);
  EXPECT_TRUE(drained.done());
  EXPECT_THAT(desk.settled, ElementsAre("2 final_dot 250 Ok", "1 final_dot 250 Ok", "3 final_dot 250 Ok"));
  EXPECT_EQ(site->used, 0U);
}

TEST_F(LaneTest, ShutDownLeavesIdleConnectionsPolitely) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  lane->shut_down();
  loop.run();
  EXPECT_EQ(world.log.back(), "1: close");
  EXPECT_EQ(lane->connections(), 0U);
}

TEST_F(LaneTest, AbortReportsWhatIsUnderWayAsCancelled) {
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  lane->shut_down();
  lane->abort();
  loop.run();
  EXPECT_THAT(desk.settled, testing::UnorderedElementsAre("1 data cancelled", "2 data cancelled"));
  EXPECT_EQ(lane->connections(), 0U);
}

// One lane has all connections and much to do; the other gets one after a turn.
TEST_F(LaneTest, ALaneWithoutAConnectionGetsOneAfterATurn) {
  site->limit = 2;
  const auto first = make_lane();
  const auto second = make_lane();
  for (std::uint64_t message = 1; message <= 100; ++message) enqueue(*first, Ticket{message, 1});
  loop.run();
  enqueue(*second, {1000});
  for (int i = 0; i < 19; ++i) finish(1);
  EXPECT_EQ(waiting(*second), 1U);
  finish(1);
  EXPECT_EQ(waiting(*second), 0U);
  EXPECT_EQ(second->connections(), 1U);
  EXPECT_EQ(world.log.back(), "3: send 1000");
  finish(3);
  EXPECT_EQ(first->connections(), 1U);
  first->shut_down();
  first->abort();
  end(*second);
}

// Far away a handshake costs as much as many messages, so a turn lasts five times as long as it took.
TEST_F(LaneTest, ATurnOutweighsItsHandshake) {
  site->limit = 1;
  world.opening_takes = 400ms;
  const auto first = make_lane();
  const auto second = make_lane();
  for (std::uint64_t message = 1; message <= 100; ++message) enqueue(*first, Ticket{message, 1});
  loop.run();
  loop.advance(400ms);
  enqueue(*second, {1000});
  for (int i = 0; i < 39; ++i) {
    finish(1);
    loop.advance(50ms);
  }
  EXPECT_EQ(waiting(*second), 1U);
  finish(1);
  loop.advance(50ms);
  finish(1);
  EXPECT_EQ(waiting(*second), 0U);
  first->shut_down();
  loop.advance(400ms);
  end(*second);
}

// A connection whose lane has nothing more to send is no use to it while another lane waits.
TEST_F(LaneTest, AConnectionDoesNotIdleWhileAnotherLaneWaits) {
  site->limit = 1;
  const auto first = make_lane();
  const auto second = make_lane();
  enqueue(*first, {1});
  enqueue(*second, {2});
  finish(1);
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: close", "2: open", "2: send 2"));
  first->shut_down();
  end(*second);
}

TEST_F(LaneTest, AConnectionIdleForLessThanASecondIsNotTakenForALaneThatHasOne) {
  site->limit = 2;
  const auto first = make_lane();
  const auto second = make_lane();
  enqueue(*first, {1});
  enqueue(*second, {2});
  finish(1);
  enqueue(*second, {3});
  EXPECT_EQ(first->idle_connections(), 1U);
  loop.advance(1s);
  enqueue(*second, {4});
  EXPECT_EQ(first->connections(), 0U);
  EXPECT_EQ(second->connections(), 2U);
  first->shut_down();
  end(*second);
}

}  // namespace
}  // namespace relayd::send
