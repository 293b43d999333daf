#include "relay/report_limit.hpp"

#include <algorithm>
#include <utility>

namespace relayd {

namespace {
constexpr std::size_t most_reasons = 50;
constexpr const char* other_reasons = "others";
}  // namespace

// A clock that was set back begins a new period as well.
bool ReportLimit::has_room(config::Rate limit, WallTime now) {
  if ((now >= end(limit) || now < began_) && reasons_.empty()) {
    began_ = now;
    written_ = 0;
  }
  return written_ < limit.count;
}

void ReportLimit::silenced(const std::string& reason) {
  const bool is_known = reasons_.contains(reason) || reasons_.size() < most_reasons;
  ++reasons_[is_known ? reason : other_reasons];
}

ReportLimit::Hour ReportLimit::take() {
  Hour hour{began_, {}};
  for (const auto& [reason, count] : std::exchange(reasons_, {})) hour.reasons.push_back({reason, count});
  std::ranges::stable_sort(hour.reasons, std::ranges::greater(), &tell::Silenced::count);
  began_ = {};
  written_ = 0;
  return hour;
}

}  // namespace relayd
