#include "bench/smtp/histogram.hpp"

#include <gtest/gtest.h>

namespace relayd::bench {
namespace {

TEST(Histogram, IsZeroWhileNothingWasSeen) {
  EXPECT_EQ(Histogram().percentile(0.5), 0U);
}

TEST(Histogram, KeepsSmallValuesExactly) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 32; ++value) histogram.record(value);
  EXPECT_EQ(histogram.percentile(0), 0U);
  EXPECT_EQ(histogram.percentile(0.5), 16U);
  EXPECT_EQ(histogram.percentile(1), 31U);
}

TEST(Histogram, IsWithinThreePercentAtEverySize) {
  for (std::uint64_t value = 1; value < std::uint64_t{1} << 62; value = value * 3 + 1) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(value * 2);
    const std::uint64_t low = histogram.percentile(0);
    EXPECT_LE(low, value);
    EXPECT_GE(static_cast<double>(low), 0.968 * static_cast<double>(value));
  }
}

TEST(Histogram, HasHalfOfAllBelowTheMedian) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 100'000; ++value) histogram.record(value * 1000);
  EXPECT_NEAR(histogram.summary()["p50"].get<double>(), 50'000, 0.032 * 50'000);
  EXPECT_NEAR(histogram.summary()["p99"].get<double>(), 99'000, 0.032 * 99'000);
  EXPECT_EQ(histogram.summary()["max"].get<double>(), 100'000);
}

}  // namespace
}  // namespace relayd::bench
