#include "queue/schedule.hpp"

#include <gtest/gtest.h>

namespace relayd::queue {
namespace {

using namespace std::chrono_literals;

constexpr Backoff backoff{1min, 2.0, 1h, 0.2};
constexpr double no_jitter = 0.5;

TEST(Schedule, DelaysGrowByTheFactorUpToTheMaximum) {
  EXPECT_EQ(retry_delay(backoff, 1, no_jitter), 1min);
  EXPECT_EQ(retry_delay(backoff, 2, no_jitter), 2min);
  EXPECT_EQ(retry_delay(backoff, 6, no_jitter), 32min);
  EXPECT_EQ(retry_delay(backoff, 7, no_jitter), 1h);
  EXPECT_EQ(retry_delay(backoff, 4'000'000'000, no_jitter), 1h);
}

TEST(Schedule, JitterSpreadsEvenlyAroundTheDelay) {
  EXPECT_EQ(retry_delay(backoff, 1, 0.0), 48s);
  EXPECT_EQ(retry_delay(backoff, 1, 0.75), 66s);
  EXPECT_LT(retry_delay(backoff, 1, 0.999), 72s);
}

TEST(Schedule, AFactorOfOneKeepsTheDelay) {
  EXPECT_EQ(retry_delay({5min, 1.0, 1h, 0.0}, 4'000'000'000, 0.9), 5min);
}

TEST(Schedule, AFirstDelayAboveTheMaximumIsTheMaximum) {
  EXPECT_EQ(retry_delay({2h, 2.0, 1h, 0.0}, 1, no_jitter), 1h);
}

TEST(Schedule, AMessageExpiresWhenItsLifetimeIsOver) {
  const WallTime accepted{1'790'000'000s};
  EXPECT_FALSE(expired(accepted, 24h, accepted + 24h - 1us));
  EXPECT_TRUE(expired(accepted, 24h, accepted + 24h));
  EXPECT_FALSE(expired(accepted, 24h, accepted - 24h * 30));
}

}  // namespace
}  // namespace relayd::queue
