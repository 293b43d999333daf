// Histogram: how often each duration was seen, to within 3 %. Of a fixed size, so that recording allocates
// nothing.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <nlohmann/json.hpp>

namespace relayd::bench {

class Histogram {
 public:
  void record(std::uint64_t nanoseconds) {
    ++counts_[bucket(nanoseconds)];
    ++total_;
    maximum_ = std::max(maximum_, nanoseconds);
  }

  // The value below which `share` (0 to 1) of the others lie, in nanoseconds; 0 when there is none.
  std::uint64_t percentile(double share) const {
    const auto rank = static_cast<std::uint64_t>(share * static_cast<double>(total_));
    std::uint64_t seen = 0;
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      seen += counts_[i];
      if (seen > rank) return std::min(lowest(i), maximum_);
    }
    return maximum_;
  }

  // In microseconds.
  nlohmann::json summary() const {
    const auto microseconds = [](std::uint64_t value) { return static_cast<double>(value) / 1000; };
    return {{"p50", microseconds(percentile(0.5))},
            {"p90", microseconds(percentile(0.9))},
            {"p99", microseconds(percentile(0.99))},
            {"max", microseconds(maximum_)}};
  }

 private:
  // Each power of two is cut into `steps` equal buckets.
  static constexpr unsigned bits = 5;
  static constexpr std::uint64_t steps = 1U << bits;

  static std::size_t bucket(std::uint64_t value) {
    if (value < steps) return value;
    const auto shift = static_cast<unsigned>(std::bit_width(value)) - bits - 1;
    return shift * steps + (value >> shift);
  }
  static std::uint64_t lowest(std::size_t bucket) {
    if (bucket < 2 * steps) return bucket;
    const std::size_t shift = bucket / steps - 1;
    return (bucket - shift * steps) << shift;
  }

  std::array<std::uint64_t, 64 * steps> counts_{};
  std::uint64_t total_ = 0;
  std::uint64_t maximum_ = 0;
};

}  // namespace relayd::bench
