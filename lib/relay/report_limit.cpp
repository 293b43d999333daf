#include "relay/report_limit.hpp"

#include <algorithm>
#include <utility>

namespace relayd {

namespace {
constexpr std::size_t most_reasons = 50;
constexpr const char* other_reasons = "others";
}  // namespace

bool ReportLimit::has_room(config::Rate limit, SteadyTime now) {
  if (!has_begun_ || now >= end(limit)) {
    has_begun_ = true;
    began_ = now;
    written_ = 0;
  }
  return written_ < limit.count;
}

void ReportLimit::silenced(const std::string& reason, std::uint64_t count) {
  const bool is_known = reasons_.contains(reason) || reasons_.size() < most_reasons;
  reasons_[is_known ? reason : other_reasons] += count;
}

std::vector<tell::Silenced> ReportLimit::take() {
  std::vector<tell::Silenced> reasons;
  for (const auto& [reason, count] : std::exchange(reasons_, {})) reasons.push_back({reason, count});
  std::ranges::stable_sort(reasons, std::ranges::greater(), &tell::Silenced::count);
  return reasons;
}

}  // namespace relayd
