// Tally: what is used of one quota, by the calendar or in a span, and what another one makes of it.
#include "send/tally.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace relayd::send {
namespace {

using namespace std::chrono_literals;
using config::Counted;
using config::Quota;
using Period = Quota::Period;

const WallTime noon = std::chrono::sys_days(std::chrono::year(2026) / 11 / 21) + 12h;  // 20.5 days of a month
const Quota a_day{100, Period::day};
const Quota a_month{100, Period::month};
const Quota a_span{100, Period::sliding, 24h};

Tally tally(const Quota& quota, std::uint64_t used, WallTime when) {
  Tally tally(quota);
  tally.add(used, when);
  return tally;
}

// What a new quota knows of it at noon.
std::uint64_t continued(const Quota& quota, const Tally& from) {
  Tally next(quota);
  next.continue_from(from, noon);
  return next.used(noon);
}

TEST(Tally, BeginsAnewWithItsPeriod) {
  const Tally day = tally(a_day, 7, noon);
  EXPECT_EQ(day.used(noon + 12h - 1us), 7U);
  EXPECT_EQ(day.used(noon + 12h), 0U);
  EXPECT_EQ(day.eases_at(noon), noon + 12h);
  const Tally month = tally(a_month, 7, noon);
  EXPECT_EQ(month.used(noon + 9 * 24h), 7U);
  EXPECT_EQ(month.used(noon + 10 * 24h), 0U);
  EXPECT_EQ(month.eases_at(noon), noon + 12h + 9 * 24h);
  EXPECT_EQ(tally(a_span, 7, noon).used(noon + 24h), 7U);
  EXPECT_EQ(tally(a_span, 7, noon).used(noon + 25h), 0U);
}

TEST(Tally, NeverOverflows) {
  for (const Quota& quota : {a_day, a_span}) {
    Tally full = tally(quota, std::numeric_limits<std::uint64_t>::max(), noon);
    full.add(1, noon);
    EXPECT_EQ(full.used(noon), std::numeric_limits<std::uint64_t>::max());
  }
}

TEST(Tally, IsTheSameFromItsEntries) {
  for (const Quota& quota : {a_day, a_month, a_span}) {
    Tally old = tally(quota, 7, noon - 1h);
    old.add(5, noon);
    Tally restored(quota);
    for (const Tally::Entry& entry : old.entries(noon)) restored.restore(entry);
    EXPECT_EQ(restored.used(noon), 12U);
    EXPECT_EQ(restored.eases_at(noon), old.eases_at(noon));
    EXPECT_TRUE(Tally(quota).entries(noon).empty());
  }
}

TEST(Tally, OfAnotherCalendarPeriodGoesOn) {
  EXPECT_EQ(continued(a_month, tally(a_day, 7, noon)), 7U);
  EXPECT_EQ(continued(a_day, tally(a_month, 7, noon)), 0U);
}

// All of it may have been a moment ago.
TEST(Tally, OfASpanCountsTheWholeDay) {
  EXPECT_EQ(continued(a_span, tally(a_day, 7, noon - 11h)), 7U);
  EXPECT_EQ(continued({100, Period::sliding, 1h}, tally(a_day, 7, noon - 11h)), 7U);
  EXPECT_EQ(continued(a_span, tally(a_day, 7, noon - 13h)), 0U);
}

TEST(Tally, OfASpanCountsAMonthAsIfItHadGoneEvenly) {
  const Tally month = tally(a_month, 2050, noon - 3 * 24h);
  EXPECT_NEAR(static_cast<double>(continued(a_span, month)), 100, 1);
  EXPECT_NEAR(static_cast<double>(continued({100, Period::sliding, 10 * 24h}, month)), 1000, 1);
  EXPECT_EQ(continued({100, Period::sliding, 30 * 24h}, month), 2050U);
  EXPECT_EQ(continued(a_span, tally(a_month, 3, noon)), 1U);
  EXPECT_EQ(continued(a_span, tally(a_month, 2050, noon - 30 * 24h)), 0U);
  Tally span(a_span);
  span.continue_from(month, noon);
  EXPECT_NEAR(static_cast<double>(span.used(noon + 12h)), 50, 5);  // it comes back by and by
  EXPECT_EQ(span.used(noon + 25h), 0U);
}

TEST(Tally, GoesOnWithWhatASpanRemembers) {
  Tally span = tally(a_span, 7, noon - 20h);
  span.add(5, noon - 2h);
  EXPECT_EQ(continued(a_day, span), 5U);
  EXPECT_EQ(continued(a_month, span), 12U);
  EXPECT_EQ(continued({100, Period::sliding, 48h}, span), 12U);
  EXPECT_EQ(continued({100, Period::sliding, 6h}, span), 5U);
}

TEST(Tally, OfMessagesKnowsNothingOfRecipients) {
  EXPECT_EQ(continued({100, Period::day, {}, Counted::messages}, tally(a_day, 7, noon)), 0U);
}

}  // namespace
}  // namespace relayd::send
