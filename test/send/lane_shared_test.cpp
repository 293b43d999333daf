// Lanes that share a quota or a site, and when another connection is worth its handshake.
#include "send/lane_fixture.hpp"

namespace relayd::send {

// Two passwords of one account: two lanes, one quota. What one gives back, the other may take.
TEST_F(LaneTest, AQuotaGivenBackByAnotherLaneIsUsed) {
  quota->use({{1, config::Quota::Period::month}}, loop.wall_now());
  const auto one = make_lane();
  const auto other = make_lane();
  enqueue(*one, {1});
  enqueue(*other, {2});
  EXPECT_FALSE(other->open());
  finish(1, Event(Stage::rcpt, {550, {}, "Nobody"}));
  EXPECT_TRUE(other->open());
  loop.advance(2h);
  EXPECT_EQ(waiting(*other), 0U) << "waits until the month is over";
  other->shut_down();
  other->abort();
  end(*one);
}

// A message for which no other connection is free: there is room for one.
TEST_F(LaneTest, RoomIsNeverOverdrawn) {
  site->limit = 1;
  quota->use({{2, config::Quota::Period::month}}, loop.wall_now());
  const auto one = make_lane();
  const auto own = std::make_shared<Allowance>();
  auto other = std::make_unique<Lane>(loop, desk, limits, site, own);
  other->use(limits, [this] { return std::make_unique<FakeTransport>(world); });
  enqueue(*one, {1});
  finish(1);
  EXPECT_EQ(one->idle_connections(), 1U);
  loop.advance(2s);
  // The quota ends with message 2: who waits behind it is told, and asks for the idle connection.
  desk.on_change = [&](Lane& lane) {
    if (&lane == one.get() && !lane.open()) {
      desk.recipients[3] = 1;
      desk.lines[other.get()].push("ann@example.com", 3);
      other->pump();
    }
  };
  desk.recipients[2] = 1;
  desk.lines[one.get()].push("ann@example.com", 2);
  one->pump();
  EXPECT_LE(site->used, site->limit);
  loop.run();
  desk.on_change = {};
  for (Lane* const lane : {one.get(), other.get()}) {
    lane->shut_down();
    lane->abort();
    loop.run();
  }
  EXPECT_EQ(site->used, 0U);
}

// Another lane of the account uses up the day while this one knocks: it opens when the day is over, whatever
// came of the knock. The desk does what Health::stop does.
TEST_F(LaneTest, AKnockThatEndsWithoutQuotaIsNotTheEnd) {
  for (const bool let_in : {false, true}) {
    world.log.clear();
    desk.knocks.clear();
    desk.lines.clear();
    quota = std::make_shared<Allowance>();
    quota->use({{1, config::Quota::Period::day}}, loop.wall_now());
    const auto lane = make_lane();
    desk.on_knock = [&](bool is_in) {
      if (is_in) return lane->resume();
      if (lane->paused()) return;
      lane->pause(loop.now() + 10s, Probe::knock);
    };
    world.opening_takes = 10s;
    if (!let_in) world.cannot_open = Event(Stage::connect, Trouble::unreachable, "refused");
    lane->pause(loop.now() + 5s, Probe::knock);
    enqueue(*lane, {1});
    loop.advance(6s);
    quota->take(1);
    quota->settle(1, 1, loop.wall_now());  // by the other one
    loop.advance(20s);
    EXPECT_THAT(desk.knocks, SizeIs(1));
    world.cannot_open.reset();
    loop.advance(std::chrono::days(3));
    EXPECT_EQ(waiting(*lane), 0U) << (let_in ? "let in" : "refused")
                                  << ": nobody looks when the quota is back";
    end(*lane);
  }
}

// The site is well again before its time; the lane's own pause is over a little later.
TEST_F(LaneTest, ALaneWaitsForItsOwnPauseAloneWhereTheSiteIsWellAgain) {
  const auto lane = make_lane();
  site->pause(loop.now() + 1h, Probe::message);
  lane->pause(loop.now() + 10s);
  enqueue(*lane, {1});
  loop.advance(5s);
  site->resume();
  loop.advance(6s);
  EXPECT_EQ(waiting(*lane), 0U) << "waits for the site's time to be over";
  if (!world.connections.empty()) finish(1);
  end(*lane);
}

// Three wait for the one connection. The first to get it finds nobody at home, and the site pauses: those
// behind it have left the list that is being gone through.
TEST_F(LaneTest, RoomIsOfferedToNobodyOnceTheSitePauses) {
  site->limit = 1;
  std::vector<std::unique_ptr<Lane>> lanes;
  for (std::uint64_t i = 0; i < 4; ++i) {
    lanes.push_back(make_lane());
    enqueue(*lanes.back(), {i + 1});
  }
  ASSERT_EQ(site->waiting.size(), 3U);
  world.cannot_open = Event(Stage::connect, Trouble::unreachable, "refused");
  desk.on_settle = [&] {
    if (desk.settled.size() == 2) site->pause(loop.now() + 10s, Probe::message);
  };
  finish(1, Event(Stage::final_dot, {250, {}, "Ok"}), false);
  EXPECT_THAT(site->waiting, IsEmpty());
  EXPECT_THAT(desk.settled, SizeIs(2));
  for (const auto& lane : lanes) lane->shut_down();
  for (const auto& lane : lanes) end(*lane);
}

// --- what ends a connection ---

TEST_F(LaneTest, AnAbortIsNoLoss) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3, 4});
  finish(1);
  finish(1, Event(Stage::final_dot, Trouble::cancelled, "ended by us"), false);
  EXPECT_TRUE(lane->sends_ahead());
  end(*lane);
}

TEST_F(LaneTest, AnIdleConnectionBeyondACapIsHandedNothing) {
  limits.connections = 2;
  const auto lane = make_lane();
  enqueue(*lane, {1});
  finish(1);
  site->learnt.learn({smtp::Cap::messages_per_connection, 1, true}, loop.now());
  enqueue(*lane, {2});
  EXPECT_EQ(world.count, 2);
  finish(2);
  EXPECT_EQ(waiting(*lane), 0U);
  end(*lane);
}

// --- another connection ---

TEST_F(LaneTest, AFewMessagesWaitForTheConnectionThatThereIs) {
  limits.connections = 5;
  site->opening = Opening(300ms, 50ms);
  const auto lane = make_lane();
  enqueue(*lane, {1});
  loop.advance(50ms);
  finish(1);
  enqueue(*lane, {2, 3, 4});
  loop.run();
  EXPECT_EQ(lane->connections(), 1U);
  for (int i = 0; i < 3; ++i) {
    loop.advance(50ms);
    finish(1);
  }
  EXPECT_THAT(desk.settled, SizeIs(4));
  EXPECT_EQ(world.count, 1);
  end(*lane);
}

TEST_F(LaneTest, NobodyWaitsForLongBehindAMessageThatIsStuck) {
  limits.connections = 5;
  world.opening_takes = 300ms;
  site->opening = Opening(300ms, 50ms);
  const auto lane = make_lane();
  enqueue(*lane, {1, 2, 3});
  loop.advance(599ms);
  EXPECT_EQ(world.count, 1);
  loop.advance(1ms);
  EXPECT_EQ(world.count, 2);
  loop.advance(300ms);
  end(*lane);
}

}  // namespace relayd::send
