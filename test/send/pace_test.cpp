// Pace: an even spacing, and what is learnt from an upstream that finds it too fast.
#include "send/pace.hpp"

#include <gtest/gtest.h>

namespace relayd::send {
namespace {

using namespace std::chrono_literals;

// Sends as fast as the pace allows, through a timer that rings `late`; how many recipients until the end.
int sent_within(Pace& pace, SteadyTime from, Duration span, Duration late = {},
                std::uint32_t recipients = 1) {
  int count = 0;
  for (SteadyTime now = from; now < from + span; now = std::max(now, pace.ready_at(now) + late)) {
    pace.take(recipients, now);
    count += static_cast<int>(recipients);
  }
  return count;
}

const SteadyTime start{1000h};

TEST(Pace, FourteenASecondAreExactlyThatOverAMinute) {
  Pace pace(Duration(1s) / 14);
  EXPECT_NEAR(sent_within(pace, start, 60s), 840, 1);
}

TEST(Pace, ThirtyAMinuteAreExactlyThat) {
  Pace pace(Duration(60s) / 30);
  EXPECT_EQ(sent_within(pace, start, 60s), 30);
  EXPECT_EQ(sent_within(pace, start + 60s, 60s), 30);
}

TEST(Pace, ATimerThatRingsLateCostsNothing) {
  Pace pace(Duration(1s) / 14);
  EXPECT_NEAR(sent_within(pace, start, 60s, 5ms), 840, 2);
}

TEST(Pace, RecipientsCountNotMessages) {
  Pace pace(Duration(1s) / 14);
  EXPECT_NEAR(sent_within(pace, start, 60s, {}, 7), 840, 7);
}

TEST(Pace, IdleTimeIsNotSavedUp) {
  Pace pace(Duration(60s) / 30);
  pace.take(1, start);
  EXPECT_EQ(sent_within(pace, start + 10min, 60s), 30);
}

TEST(Pace, WithoutALimitNothingWaits) {
  Pace pace;
  pace.take(1000, start);
  EXPECT_EQ(pace.ready_at(start), start);
  EXPECT_FALSE(pace.slowed(start));
}

TEST(Pace, TooFastHalvesAConfiguredRate) {
  Pace pace(100ms);
  pace.take(1, start);
  pace.slow_down(start);
  EXPECT_EQ(pace.spacing(start), 2s);  // all that was seen is one in a second
  for (int i = 0; i < 100; ++i) pace.take(1, start + i * 100ms);
  Pace steady(100ms);
  for (int i = 0; i < 100; ++i) steady.take(1, start + i * 100ms);
  steady.slow_down(start + 10s);
  EXPECT_GE(steady.spacing(start + 10s), 200ms);
  EXPECT_LE(steady.spacing(start + 10s), 350ms);
  EXPECT_TRUE(steady.slowed(start + 10s));
}

TEST(Pace, TooFastHalvesWhatWasSentWithoutALimit) {
  Pace pace;
  for (int i = 0; i < 1000; ++i) pace.take(1, start + i * 10ms);  // a hundred a second
  const SteadyTime now = start + 10s;
  pace.slow_down(now);
  EXPECT_GE(pace.spacing(now), 20ms);
  EXPECT_LE(pace.spacing(now), 40ms);
}

TEST(Pace, ASlowedPaceDoublesEachMinuteAndIsForgotten) {
  Pace pace(Duration(1s) / 14);
  for (int i = 0; i < 140; ++i) pace.take(1, start + i * 71ms);
  const SteadyTime now = start + 10s;
  pace.slow_down(now);
  const Duration slow = pace.spacing(now);
  EXPECT_NEAR(static_cast<double>(pace.spacing(now + 60s).count()), static_cast<double>(slow.count()) / 2,
              1e6);
  EXPECT_EQ(pace.spacing(now + 10min), Duration(1s) / 14);
  EXPECT_FALSE(pace.slowed(now + 10min));
}

TEST(Pace, NeverSlowerThanAMinuteForEach) {
  Pace pace;
  for (int i = 0; i < 50; ++i) pace.slow_down(start);
  EXPECT_EQ(pace.spacing(start), 60s);
}

}  // namespace
}  // namespace relayd::send
