// Quota: what is left of a day or a month.
#include "send/quota.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace relayd::send {
namespace {

using namespace std::chrono_literals;
using std::chrono::sys_days;

const WallTime noon = sys_days(std::chrono::year(2026) / 2 / 28) + 12h;

TEST(Quota, WithoutALimitThereIsNoEnd) {
  const Quota quota;
  EXPECT_FALSE(quota.limited());
  EXPECT_EQ(quota.left(noon), std::numeric_limits<std::uint64_t>::max());
}

TEST(Quota, CountsDownAndGivesBack) {
  Quota quota;
  quota.use(100, Quota::Period::day);
  quota.take(30, noon);
  EXPECT_EQ(quota.left(noon), 70U);
  quota.give_back(10);
  EXPECT_EQ(quota.left(noon), 80U);
  quota.take(200, noon);
  EXPECT_EQ(quota.left(noon), 0U);
}

TEST(Quota, ADayEndsAtMidnightUtc) {
  Quota quota;
  quota.use(100, Quota::Period::day);
  quota.take(100, noon);
  EXPECT_EQ(quota.resets_at(noon), WallTime(sys_days(std::chrono::year(2026) / 3 / 1)));
  EXPECT_EQ(quota.left(noon + 12h - 1us), 0U);
  EXPECT_EQ(quota.left(noon + 12h), 100U);
}

TEST(Quota, AMonthEndsWithItsLastDay) {
  Quota quota;
  quota.use(100, Quota::Period::month);
  const WallTime december = sys_days(std::chrono::year(2026) / 12 / 31) + 23h;
  quota.take(100, december);
  EXPECT_EQ(quota.resets_at(december), WallTime(sys_days(std::chrono::year(2027) / 1 / 1)));
  EXPECT_EQ(quota.left(december + 1h), 100U);
  EXPECT_EQ(quota.resets_at(noon), WallTime(sys_days(std::chrono::year(2026) / 3 / 1)));
}

TEST(Quota, AClockThatIsSetBackOpensNothing) {
  Quota quota;
  quota.use(100, Quota::Period::day);
  quota.take(100, noon);
  EXPECT_EQ(quota.left(noon - 48h), 0U);
}

TEST(Quota, WhatAClockFarAheadCountedIsForgotten) {
  Quota quota;
  quota.use(100, Quota::Period::day);
  quota.take(100, noon + std::chrono::years(10));
  EXPECT_EQ(quota.left(noon), 100U);
  quota.take(30, noon);
  EXPECT_EQ(quota.left(noon), 70U);
  EXPECT_EQ(quota.left(noon + 12h), 100U);
}

TEST(Quota, WhatAnEarlierProcessUsedCounts) {
  Quota quota;
  quota.use(100, Quota::Period::day);
  quota.restore(60, sys_days(std::chrono::year(2026) / 2 / 28));
  EXPECT_EQ(quota.left(noon), 40U);
  quota.restore(60, sys_days(std::chrono::year(2026) / 2 / 27));
  EXPECT_EQ(quota.left(noon), 100U);
}

TEST(Quota, WhatAnEarlierProcessUsedCountsForAMonthToo) {
  Quota quota;
  quota.restore(60, sys_days(std::chrono::year(2026) / 2 / 1));
  quota.use(100, Quota::Period::month);
  EXPECT_EQ(quota.left(noon), 40U);
}

}  // namespace
}  // namespace relayd::send
