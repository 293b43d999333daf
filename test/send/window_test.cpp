// Window: no span of its length sees more than was allowed, and it opens again in time.
#include "send/window.hpp"

#include <gtest/gtest.h>

#include <random>

namespace relayd::send {
namespace {

using namespace std::chrono_literals;
using Time = Window::Time;

const Time start = std::chrono::hours(24 * 365 * 56);

TEST(Window, WhatIsASpanAgoCountsNoMore) {
  Window window(24h);
  window.add(10, start);
  EXPECT_EQ(window.used(start), 10U);
  EXPECT_EQ(window.used(start + 24h), 10U);
  EXPECT_EQ(window.used(start + 24h + window.slice()), 0U);
}

TEST(Window, SaysWhenItsFirstPartCountsNoMore) {
  Window window(24h);
  EXPECT_EQ(window.eases_at(start), std::nullopt);
  window.add(10, start);
  window.add(5, start + 6h);
  const Time eases = window.eases_at(start + 7h).value();
  EXPECT_EQ(window.used(eases - 1us), 15U);
  EXPECT_EQ(window.used(eases), 5U);
  EXPECT_EQ(window.used(window.eases_at(eases).value()), 0U);
}

TEST(Window, NothingAddedTakesNoRoom) {
  Window window(1h);
  window.add(0, start);
  EXPECT_TRUE(window.slices(start).empty());
}

TEST(Window, HoldsFewSlicesHoweverMuchIsAdded) {
  Window window(1h);
  for (Time now = start; now < start + 10h; now += 1s) window.add(1, now);
  EXPECT_LE(window.slices(start + 10h).size(), 50U);
}

TEST(Window, AnotherProcessGoesOnWithItsSlices) {
  Window window(24h);
  for (int hour = 0; hour < 30; ++hour) window.add(1 + static_cast<unsigned>(hour), start + hour * 1h);
  const Time now = start + 30h;
  Window other(24h);
  for (const Window::Slice& slice : window.slices(now)) other.add(slice.count, slice.begin);
  for (Time later = now; later < now + 30h; later += 7min) EXPECT_EQ(other.used(later), window.used(later));
}

TEST(Window, AClockThatIsSetBackALittleOpensNothing) {
  Window window(24h);
  window.add(100, start);
  EXPECT_EQ(window.used(start - 2h), 100U);
  window.add(1, start - 2h);
  EXPECT_EQ(window.used(start + 21h), 101U);
}

TEST(Window, WhatAClockFarAheadCountedIsForgotten) {
  Window window(24h);
  window.add(100, start + 24h * 3650);
  EXPECT_EQ(window.used(start), 0U);
  EXPECT_EQ(window.eases_at(start), std::nullopt);
  window.add(30, start);
  EXPECT_EQ(window.used(start), 30U);
  EXPECT_EQ(window.used(start + 24h + window.slice()), 0U);
}

// A little ahead: it counts until its time is over. Far ahead: the next use forgets it.
TEST(Window, AClockThatWasWrongHealsWithinTwoSpans) {
  for (const Time wrong : {Time(1h), Time(23h), Time(25h), Time(24h * 20), Time(24h * 3650)}) {
    Window window(24h);
    window.add(100, start + wrong);
    window.add(1, start);
    EXPECT_EQ(window.used(start + 48h + window.slice()), 0U) << wrong.count();
  }
}

TEST(Window, CountsThatCannotBeAreNoSmallOnes) {
  Window window(1h);
  window.add(~std::uint64_t{0}, start);
  window.add(5, start);
  window.add(5, start + 10min);
  EXPECT_EQ(window.used(start + 10min), ~std::uint64_t{0});
}

TEST(Window, TimesThatNoClockHadOverflowNothing) {
  Window window(1h);
  window.add(1, Time::max());
  window.add(1, Time(0));
  EXPECT_EQ(window.used(start), 0U);
}

// Against every single event: whatever is let through by what is left, no span has more than the limit; and
// what is held back has a reason in a span that is one slice longer.
TEST(Window, NoSpanSeesMoreThanTheLimit) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    std::mt19937 random(seed);
    const auto span = std::chrono::seconds(std::array{60, 3600, 86'400, 997}[random() % 4]);
    const std::uint64_t limit = 1 + random() % 50;
    Window window(span);
    std::vector<std::pair<Time, std::uint64_t>> sent;
    const auto within = [&sent](Time from, Time to) {
      std::uint64_t sum = 0;
      for (const auto& [when, count] : sent)
        if (when >= from && when <= to) sum += count;
      return sum;
    };
    Time now = start;
    for (int step = 0; step < 300; ++step) {
      now += Time(random() % static_cast<std::uint64_t>(Time(span).count() / 10));
      const std::uint64_t used = window.used(now);
      ASSERT_LE(used, within(now - Time(span) - window.slice(), now)) << "seed " << seed;
      const std::uint64_t count = std::min<std::uint64_t>(random() % 8, limit - std::min(limit, used));
      window.add(count, now);
      sent.emplace_back(now, count);
      ASSERT_LE(within(now - Time(span), now), limit) << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace relayd::send
