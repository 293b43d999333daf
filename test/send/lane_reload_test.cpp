// Lane: a reload that comes between loading a message and sending it.
#include "send/lane_fixture.hpp"

namespace relayd::send {

TEST_F(LaneTest, WhatChangedWhileTheConnectionWasOpenedIsNotSent) {
  world.opening_takes = 10s;
  const auto lane = make_lane();
  enqueue(*lane, {1});
  desk.outdated = {"1"};
  loop.advance(10s);
  loop.run();
  EXPECT_THAT(world.log, ElementsAre("1: open"));
  EXPECT_THAT(desk.given_back, ElementsAre(1));
  EXPECT_THAT(desk.settled, IsEmpty());
  desk.outdated = {};
  enqueue(*lane, {1});
  EXPECT_THAT(world.log, ElementsAre("1: open", "1: send 1"));
  end(*lane);
}

// Its recipients were named to the server. It is no message before its content.
TEST_F(LaneTest, WhatChangedBehindADotIsNotSentEither) {
  limits.connections = 1;
  world.ahead = true;
  const auto lane = make_lane();
  enqueue(*lane, {9, 1, 2});
  finish(1);
  ASSERT_EQ(world.log.back(), "1: announce 2");
  desk.outdated = {"2"};
  finish(1);
  EXPECT_EQ(world.log.back(), "1: announce 2");
  EXPECT_THAT(desk.given_back, ElementsAre(2));
  EXPECT_THAT(world.connections, IsEmpty());
  end(*lane);
}

TEST_F(LaneTest, WhatIsNotSentCostsNoQuota) {
  const auto lane = make_lane();
  quota->use({{5, config::Quota::Period::day}}, loop.wall_now());
  desk.outdated = {"1"};
  enqueue(*lane, Ticket{1, 5});
  loop.run();
  EXPECT_THAT(desk.given_back, ElementsAre(1));
  EXPECT_EQ(quota->left(loop.wall_now()), 5U);
  end(*lane);
}

}  // namespace relayd::send
