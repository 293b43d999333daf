// SyncTimes: how long the syncs of a log took, since the queue was opened, for the metrics.
//
// A sync that failed is not in it. Plain values; the loop has them.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace relayd::queue {

struct SyncTimes {
  static constexpr std::array<double, 11> bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005,
                                                    0.01,   0.025,   0.05,   0.1,   1};  // seconds
  std::array<std::uint64_t, bounds.size() + 1> in_bucket{};  // each for itself; the last has no bound
  double sum = 0;                                            // seconds

  void add(std::chrono::duration<double> took) {
    const auto bound = std::ranges::lower_bound(bounds, took.count());
    ++in_bucket[static_cast<std::size_t>(bound - bounds.begin())];
    sum += took.count();
  }
};

}  // namespace relayd::queue
