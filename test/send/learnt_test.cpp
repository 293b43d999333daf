#include "send/learnt.hpp"

#include <gtest/gtest.h>

namespace relayd::send {
namespace {

using namespace std::chrono_literals;
using enum smtp::Cap;

const SteadyTime start{1000h};

TEST(Learnt, IsTheLowerOfBoth) {
  Learnt learnt;
  EXPECT_EQ(learnt.at_most(connections, 10, start), 10U);
  EXPECT_TRUE(learnt.learn({connections, 4, true}, start));
  EXPECT_EQ(learnt.at_most(connections, 10, start), 4U);
  EXPECT_EQ(learnt.at_most(connections, 3, start), 3U);
  EXPECT_EQ(learnt.at_most(messages_per_connection, 10, start), 10U);
}

TEST(Learnt, HoldsForADayWhereItWasNamedElseForAnHour) {
  Learnt learnt;
  learnt.learn({connections, 4, true}, start);
  learnt.learn({messages_per_connection, 25, false}, start);
  EXPECT_EQ(learnt.at_most(messages_per_connection, 100, start + 1h - 1s), 25U);
  EXPECT_EQ(learnt.at_most(messages_per_connection, 100, start + 1h), 100U);
  EXPECT_EQ(learnt.at_most(connections, 10, start + 24h - 1s), 4U);
  EXPECT_EQ(learnt.at_most(connections, 10, start + 24h), 10U);
}

TEST(Learnt, MetAgainItHoldsAnew) {
  Learnt learnt;
  learnt.learn({connections, 4, true}, start);
  EXPECT_FALSE(learnt.learn({connections, 4, false}, start + 1min));  // no reason to forget what was named
  EXPECT_EQ(learnt.at_most(connections, 10, start + 2h), 4U);
  EXPECT_FALSE(learnt.learn({connections, 4, true}, start + 23h));
  EXPECT_EQ(learnt.at_most(connections, 10, start + 30h), 4U);
  EXPECT_TRUE(learnt.learn({connections, 2, false}, start + 30h));
  EXPECT_EQ(learnt.at_most(connections, 10, start + 30h), 2U);
}

TEST(Learnt, NothingIsNoCap) {
  Learnt learnt;
  EXPECT_FALSE(learnt.learn({connections, 0, true}, start));
  EXPECT_FALSE(learnt.learn({}, start));
  EXPECT_TRUE(learnt.entries().empty());
}

}  // namespace
}  // namespace relayd::send
