#include "accept/rate_limit.hpp"

#include <gtest/gtest.h>

namespace relayd::accept {
namespace {

using namespace std::chrono_literals;

TEST(RateLimit, WhoComesTooFastWaitsAndNobodyElseDoes) {
  const SteadyTime start{1h};
  RateLimit limit({10, 3}, {100, 3});
  for (const Duration wait : {0ms, 0ms, 0ms, 100ms, 200ms})
    EXPECT_EQ(limit.next_for("192.0.2.7", start) - start, wait);
  EXPECT_EQ(limit.next_for("192.0.2.8", start), start);
  EXPECT_EQ(limit.next_for("192.0.2.7", start + 1s), start + 1s);
  for (const Duration wait : {0ms, 0ms, 0ms, 10ms}) EXPECT_EQ(limit.next_for_all(start) - start, wait);
}

TEST(RateLimit, MemoryIsBounded) {
  RateLimit limit({1, 1}, {1, 1});
  for (std::size_t i = 0; i < 3 * RateLimit::clients_limit; ++i)
    limit.next_for("192.0.2." + std::to_string(i), SteadyTime{1h});
  limit.next_for("192.0.2.0", SteadyTime{2h});
  EXPECT_EQ(limit.next_for("192.0.2.0", SteadyTime{2h}), SteadyTime{2h} + 1s);
}

}  // namespace
}  // namespace relayd::accept
