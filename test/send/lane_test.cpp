// Lane: connections, pauses, and what follows behind a final dot.
#include "send/lane_fixture.hpp"

namespace relayd::send {
namespace {

TEST_F(LaneTest, OpensAsManyConnectionsAsItMay) {
  limits.connections = 2;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4});
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "2: open", "2: send 2"));
  EXPECT_EQ(waiting(*lane), 2U);
  EXPECT_EQ(lane->connections(), 2U);
  finish(2);
  finish(1);
  EXPECT_THAT(world.log,
              ElementsAre("1: open", "1: send 1", "2: open", "2: send 2", "2: send 3", "1: send 4"));
  end(*lane);
}

TEST_F(LaneTest, UsesAWarmConnectionAgain) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  loop.advance(29s);
  enqueue(*lane, {2});
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: send 2"));
  finish(1);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok", "2 final_dot 250 Ok"));
  end(*lane);
}

TEST_F(LaneTest, ClosesAConnectionThatNobodyNeeds) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  loop.advance(30s);
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: close"));
  EXPECT_EQ(lane->connections(), 0U);
  EXPECT_EQ(site->used, 0U);
}

TEST_F(LaneTest, TakesTheConnectionThatWasUsedLast) {
  limits.connections = 2;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  finish(2);
  loop.advance(10s);
  finish(1);
  enqueue(*lane, {3});
  EXPECT_EQ(world.log.back(), "1: send 3");
  loop.advance(20s);
  EXPECT_EQ(world.log.back(), "2: close");
  end(*lane);
}

TEST_F(LaneTest, ClosesAConnectionThatHasCarriedEnough) {
  limits.messages_per_connection = 2;
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  finish(1);
  finish(1);
  EXPECT_THAT(world.log,
              ElementsAre("1: open", "1: send 1", "1: send 2", "1: close", "2: open", "2: send 3"));
  end(*lane);
}

TEST_F(LaneTest, LeavesAConnectionWhenTheDeskSaysSo) {
  limits.connections = 1;
  const auto lane = make_lane();
  desk.on_settle = [&] {
    if (desk.settled.size() == 1) lane->leave();
  };
  enqueue(*lane, {1, 2, 3});
  finish(1);
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: close", "2: open", "2: send 2"));
  finish(2);
  EXPECT_EQ(world.log.back(), "2: send 3");
  end(*lane);
}

TEST_F(LaneTest, LeavesAConnectionThatIsNotUsableAnyMore) {
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  finish(1, Event(Stage::mail, {421, {}, "Stopping"}), false);
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: close", "2: open", "2: send 2"));
  EXPECT_THAT(desk.settled, ElementsAre("1 mail 421 Stopping"));
  end(*lane);
}

TEST_F(LaneTest, PassesOverAMessageThatIsGone) {
  limits.connections = 1;
  desk.gone = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2});
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 2"));
  end(*lane);
}

TEST_F(LaneTest, LeavesNothingBehindForAMessageThatIsGone) {
  desk.gone = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1});
  EXPECT_THAT(world.log, IsEmpty());
  EXPECT_EQ(lane->connections(), 0U);
}

// --- warm connections that have gone stale ---

TEST_F(LaneTest, AStaleConnectionIsNoAttempt) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  enqueue(*lane, {2});
  finish(1, Event(Stage::mail, Trouble::broken, "gone"), false);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok"));
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: send 2", "2: open", "2: send 2"));
  finish(2);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok", "2 final_dot 250 Ok"));
  end(*lane);
}

TEST_F(LaneTest, AFreshConnectionThatBreaksIsOne) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1, Event(Stage::mail, Trouble::broken, "gone"), false);
  EXPECT_THAT(desk.settled, ElementsAre("1 mail broken"));
  EXPECT_EQ(lane->connections(), 0U);
}

TEST_F(LaneTest, AMessageHandedToALeavingServerTakesAnotherConnection) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  enqueue(*lane, Ticket{2, 1});      // wakes the connection,
  world.connections.at(1)->leave();  // which is gone before it hears of it
  loop.run();
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "2: open", "2: send 2"));
  finish(2);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok", "2 final_dot 250 Ok"));
  end(*lane);
}

TEST_F(LaneTest, AServerThatLeavesAnIdleConnectionIsForgotten) {
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  world.connections.at(1)->leave();
  loop.run();
  EXPECT_EQ(lane->connections(), 0U);
  enqueue(*lane, {2});
  EXPECT_EQ(world.log.back(), "2: send 2");
  end(*lane);
}

// --- pause, probe, resume ---

TEST_F(LaneTest, APausedLaneTakesNothing) {
  limits.connections = 1;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  lane->pause(loop.now() + 60s);
  EXPECT_FALSE(desk.is_open);
  EXPECT_FALSE(lane->open());
  EXPECT_EQ(lane->closed_until(), loop.now() + 60s);
  EXPECT_EQ(lane->breaker().troubles(), 1U);
  finish(1);
  loop.advance(59s);
  EXPECT_FALSE(lane->open());
  EXPECT_EQ(waiting(*lane), 2U);
  loop.advance(1s);
  EXPECT_TRUE(desk.is_open);
  EXPECT_EQ(waiting(*lane), 1U);
  end(*lane);
}

TEST_F(LaneTest, AKnockPutsNoMessageAtRisk) {
  const auto lane = make_lane();
  world.cannot_open = Event(Stage::connect, Trouble::unreachable, "refused");
  desk.on_settle = [&] { lane->pause(loop.now() + 5s, Probe::knock); };
  desk.on_knock = [&](bool let_in) {
    if (let_in) return lane->resume();
    lane->pause(loop.now() + 10s, Probe::knock);
  };
  enqueue(*lane, {1});
  enqueue(*lane, {2, 3});
  loop.advance(5s);
  EXPECT_THAT(desk.knocks, ElementsAre("connect unreachable"));
  EXPECT_THAT(desk.settled, SizeIs(1));
  EXPECT_EQ(waiting(*lane), 2U);
  world.cannot_open.reset();
  loop.advance(10s);
  EXPECT_THAT(desk.knocks, ElementsAre("connect unreachable", "let in"));
  // The connection that was let in carries the first of them.
  EXPECT_THAT(world.log, ElementsAre("1: open", "2: open", "3: open", "3: send 2"));
  end(*lane);
}

TEST_F(LaneTest, NobodyKnocksWhereNothingIsMissed) {
  const auto lane = make_lane();
  lane->pause(loop.now() + 5s, Probe::knock);
  loop.advance(1h);
  EXPECT_THAT(world.log, IsEmpty());
  EXPECT_TRUE(lane->open());
}

TEST_F(LaneTest, AfterAPauseASingleConnectionProbes) {
  const auto lane = make_lane();
  world.cannot_open = Event(Stage::auth, {535, {}, "No"});
  desk.on_settle = [&] { lane->pause(loop.now() + 60s); };
  enqueue(*lane, {1});
  EXPECT_THAT(desk.settled, ElementsAre("1 auth 535 No"));
  EXPECT_EQ(lane->connections(), 0U);

  loop.advance(60s);
  world.cannot_open.reset();
  desk.on_settle = nullptr;
  enqueue(*lane, {2, 3, 4});
  EXPECT_THAT(world.log, ElementsAre("1: open", "2: open", "2: send 2"));
  EXPECT_TRUE(lane->probing());
  lane->resume();
  loop.run();
  EXPECT_EQ(lane->breaker().troubles(), 0U);
  EXPECT_FALSE(lane->probing());
  EXPECT_THAT(world.connections, SizeIs(1));
  end(*lane);
}

TEST_F(LaneTest, AfterTroubleConnectionsGrowWithEachDelivery) {
  const auto lane = make_lane();
  lane->pause(loop.now());
  desk.on_settle = [&] {
    if (lane->breaker().troubles() > 0) lane->resume();
  };
  enqueue(*lane, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  EXPECT_EQ(busy(), 1);
  finish(1);
  EXPECT_EQ(busy(), 2);
  finish(1);
  finish(2);
  EXPECT_EQ(busy(), 4);
  end(*lane);
}

TEST_F(LaneTest, AProbeThatWasNoAnswerIsFollowedByAnother) {
  const auto lane = make_lane();
  lane->pause(loop.now());
  enqueue(*lane, {1, 2, 3});
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1"));
  finish(1, Event(Stage::data, {451, {}, "Later"}));
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: send 2"));
  EXPECT_EQ(busy(), 1);
  end(*lane);
}

TEST_F(LaneTest, WarmConnectionsProbeOneAtATimeToo) {
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  finish(1);
  finish(2);
  finish(3);
  lane->pause(loop.now() + 1s);
  loop.advance(1s);
  enqueue(*lane, {4, 5, 6});
  EXPECT_EQ(busy(), 1);
  EXPECT_EQ(world.log.back(), "3: send 4");
  finish(3, Event(Stage::data, {451, {}, "Later"}));
  EXPECT_EQ(busy(), 1);
  EXPECT_EQ(waiting(*lane), 1U);
  lane->resume();
  finish(3);
  EXPECT_EQ(busy(), 1);
  EXPECT_EQ(waiting(*lane), 0U);
  end(*lane);
}

TEST_F(LaneTest, ConnectionsThatWereBusyWhenThePauseBeganProbeOneAtATimeToo) {
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  lane->pause(loop.now() + 1s);
  loop.advance(1s);
  enqueue(*lane, {4, 5});
  finish(1);
  finish(2);
  EXPECT_EQ(waiting(*lane), 2U);
  finish(3);
  EXPECT_EQ(world.log.back(), "3: send 4");
  EXPECT_EQ(busy(), 1);
  end(*lane);
}

// --- one behind another's final dot ---

TEST_F(LaneTest, TheNextMessageIsKnownBeforeThePresentOneEnds) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});  // the first had nobody behind it yet
  finish(1);
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1", "1: send 2", "1: announce 3"));
  finish(1);
  EXPECT_EQ(world.log.back(), "1: send 3");
  end(*lane);
}

TEST_F(LaneTest, WhatFollowsAConnectionThatEndsWasNotTried) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {9, 1, 2});
  finish(1);
  desk.settled.clear();
  finish(1, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok"));
  EXPECT_EQ(world.log.back(), "2: send 2");
  finish(2);
  EXPECT_THAT(desk.settled, ElementsAre("1 final_dot 250 Ok", "2 final_dot 250 Ok"));
  EXPECT_THAT(desk.given_back, IsEmpty());
  end(*lane);
}

TEST_F(LaneTest, WhatFollowsGoesBackWhenTheLaneIsPausedMeanwhile) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {9, 1, 2});
  finish(1);
  desk.on_settle = [&] { lane->pause(loop.now() + 60s); };
  finish(1, Event(Stage::final_dot, {421, {}, "Stopping"}), false);
  EXPECT_THAT(desk.given_back, ElementsAre(2));
  EXPECT_EQ(lane->connections(), 0U);
  end(*lane);
}

TEST_F(LaneTest, AServerOutOfStepIsSpared) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  world.connections.at(1)->out_of_step = true;
  finish(1, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  EXPECT_THAT(desk.turned_down_at, ElementsAre(1));
  EXPECT_FALSE(lane->sends_ahead());
  EXPECT_EQ(world.log.back(), "2: send 2");
  finish(2);
  EXPECT_EQ(world.log.back(), "2: send 3");
  end(*lane);
}

// One message on one connection shows whether a server stands it, before any other is put at that risk.
TEST_F(LaneTest, ASiteEarnsWhatRidesBehindADot) {
  limits.connections = 2;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4, 5, 6, 7, 8});
  finish(1);  // 1 and 2 had nobody behind them yet
  EXPECT_EQ(world.log.back(), "1: announce 4");
  finish(2);
  EXPECT_EQ(world.log.back(), "2: send 5");
  finish(1);
  EXPECT_EQ(world.log.back(), "1: announce 6");
  finish(2);
  EXPECT_EQ(world.log.back(), "2: announce 8");
  end(*lane);
}

// Should the process end before the replies are read, the next one must not try again.
TEST_F(LaneTest, TheFirstTryIsOnDiskBeforeItLeaves) {
  limits.connections = 1;
  world.ahead = desk.notes_slowly = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4});
  finish(1);
  EXPECT_EQ(world.log.back(), "1: send 2");
  desk.noted.set();
  loop.run();
  EXPECT_EQ(world.log.back(), "1: announce 3");
  finish(1);
  EXPECT_EQ(world.log.back(), "1: announce 4");
  EXPECT_EQ(desk.notes, 1U);
  end(*lane);
}

TEST_F(LaneTest, WhatCouldNotBeAnnouncedEarnsNothing) {
  limits.connections = 2;
  world.ahead = true;
  world.announces = false;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4, 5, 6});
  finish(1);
  finish(1);
  EXPECT_EQ(site->ahead.state(loop.now()), Ahead::State::trying);
  finish(2);
  EXPECT_EQ(world.log.back(), "2: send 6");
  end(*lane);
}

TEST_F(LaneTest, OneLossEndsItForAllLanesOfTheSite) {
  limits.connections = 1;
  world.ahead = true;
  const auto first = make_lane(), second = make_lane();
  enqueue(*first, {1, 2, 3, 4});
  enqueue(*second, {11, 12, 13});
  finish(1);
  EXPECT_EQ(world.log.back(), "1: announce 3");
  world.connections.at(1)->out_of_step = true;
  finish(1, Event(Stage::final_dot, Trouble::broken, "gone"), false);
  EXPECT_THAT(desk.turned_down_at, ElementsAre(2));
  EXPECT_FALSE(second->sends_ahead());
  finish(2);
  EXPECT_EQ(world.log.back(), "2: send 12");
  // A reload knows it still. It is tried again after a while, by one.
  second->use(limits, [this] { return std::make_unique<FakeTransport>(world); });
  EXPECT_FALSE(second->sends_ahead());
  loop.advance(1h);
  EXPECT_TRUE(second->sends_ahead());
  second->shut_down();
  second->abort();
  end(*first);
}

TEST_F(LaneTest, AServerThatClosesNowAndThenIsNotSpared) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
  finish(1);
  for (int connection = 1; connection <= 4; ++connection) {
    finish(connection);
    finish(connection, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  }
  EXPECT_TRUE(lane->sends_ahead());
  end(*lane);
}

TEST_F(LaneTest, AServerThatClosesEachTimeIsSpared) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4, 5, 6, 7, 8, 9});
  finish(1);
  finish(1);
  for (int connection = 1; connection <= 3; ++connection) {
    EXPECT_TRUE(lane->sends_ahead());
    finish(connection, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  }
  EXPECT_FALSE(lane->sends_ahead());
  EXPECT_EQ(desk.turned_down_at.size(), 1U);
  end(*lane);
}

TEST_F(LaneTest, AServerThatClosesAtTheFirstTryIsSpared) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4});
  finish(1);
  finish(1, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  EXPECT_FALSE(lane->sends_ahead());
  end(*lane);
}

}  // namespace
}  // namespace relayd::send
