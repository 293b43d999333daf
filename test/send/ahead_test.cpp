// Ahead: how a site earns commands behind the final dot, and loses them.
#include "send/ahead.hpp"

#include <gtest/gtest.h>

namespace relayd::send {
namespace {

using namespace std::chrono_literals;
using State = Ahead::State;

class AheadTest : public testing::Test {
 protected:
  bool tries() { return ahead.may(&first, now) && ahead.rides(&first, now); }

  Ahead ahead;
  SteadyTime now{1000h};
  int first = 0, second = 0;  // connections
};

TEST_F(AheadTest, OneTriesThenAllMay) {
  EXPECT_TRUE(tries());
  EXPECT_FALSE(ahead.may(&second, now));
  ahead.worked(&first, now);
  EXPECT_TRUE(ahead.may(&second, now));
  EXPECT_FALSE(ahead.rides(&second, now));
}

TEST_F(AheadTest, WhatWasEarnedIsTriedAgainByOneAfterAnHourWithoutUse) {
  tries();
  ahead.worked(&first, now);
  for (int hour = 0; hour < 5; ++hour) {
    now += 59min;
    EXPECT_TRUE(ahead.may(&second, now));
    ahead.worked(&second, now);
  }
  now += 1h;
  EXPECT_TRUE(tries());
  EXPECT_FALSE(ahead.may(&second, now));
}

TEST_F(AheadTest, EachLossInARowIsHeldAgainstItForLonger) {
  for (const Duration holds : {Duration(1h), Duration(24h), Duration(168h), Duration(168h)}) {
    EXPECT_TRUE(tries());
    ahead.lost(now);
    now += holds - 1s;
    EXPECT_TRUE(ahead.is_lost(now));
    EXPECT_FALSE(ahead.may(&first, now));
    now += 1s;
    EXPECT_FALSE(ahead.is_lost(now));
  }
  EXPECT_TRUE(tries());
  ahead.worked(&first, now);
  ahead.lost(now);
  EXPECT_FALSE(ahead.is_lost(now + 1h));
}

TEST_F(AheadTest, ATryThatAnotherProcessDidNotSeeTheEndOfIsLost) {
  tries();
  Ahead next;
  next.restore(ahead.record());
  EXPECT_TRUE(next.is_lost(now));
  EXPECT_TRUE(next.take_changed());
}

TEST_F(AheadTest, NothingAtRiskIsNothingToBeKept) {
  ahead.may(&first, now);
  EXPECT_EQ(ahead.record().state, State::untried);
  ahead.not_tried(&first);
  EXPECT_FALSE(ahead.take_changed());
  tries();
  EXPECT_TRUE(ahead.take_changed());
  ahead.not_tried(&first);
  EXPECT_TRUE(ahead.take_changed());
  EXPECT_EQ(ahead.record().state, State::untried);
}

TEST_F(AheadTest, WhatItEarnedIsNewsNowAndThenOnly) {
  tries();
  ahead.worked(&first, now);
  EXPECT_TRUE(ahead.take_changed());
  ahead.worked(&second, now + 9min);
  EXPECT_FALSE(ahead.take_changed());
  ahead.worked(&second, now + 10min);
  EXPECT_TRUE(ahead.take_changed());
}

TEST_F(AheadTest, ATrialWithNothingToTryIsLeftToAnother) {
  EXPECT_TRUE(ahead.may(&first, now));
  ahead.not_tried(&second);
  EXPECT_FALSE(ahead.may(&second, now));
  ahead.not_tried(&first);
  EXPECT_TRUE(ahead.may(&second, now));
}

TEST_F(AheadTest, APoliteEndAtTheTrialIsALoss) {
  tries();
  EXPECT_TRUE(ahead.closed(&first, now));
  EXPECT_TRUE(ahead.is_lost(now));
}

// A server may close after so many messages.
TEST_F(AheadTest, OnceEarnedThreePoliteEndsInARowAreALoss) {
  tries();
  ahead.worked(&first, now);
  EXPECT_FALSE(ahead.closed(&first, now));
  EXPECT_FALSE(ahead.closed(&second, now));
  ahead.worked(&first, now);
  EXPECT_FALSE(ahead.closed(&first, now));
  EXPECT_FALSE(ahead.closed(&second, now));
  EXPECT_TRUE(ahead.closed(&first, now));
  EXPECT_TRUE(ahead.is_lost(now));
}

}  // namespace
}  // namespace relayd::send
