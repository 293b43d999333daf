#include "send/quota.hpp"

#include <algorithm>
#include <limits>

namespace relayd::send {

using std::chrono::days;
using std::chrono::months;
using std::chrono::sys_days;
using std::chrono::year_month_day;

namespace {
sys_days first_of_month(sys_days day) {
  const year_month_day date(day);
  return sys_days(date.year() / date.month() / 1);
}
}  // namespace

void Quota::use(std::uint64_t limit, Period period) {
  limit_ = limit;
  period_ = period;
}

void Quota::restore(std::uint64_t used, WallTime since) {
  used_ = used;
  since_ = since;
}

WallTime Quota::start_of(WallTime now) const {
  const sys_days today = std::chrono::floor<days>(now);
  return period_ == Period::day ? today : first_of_month(today);
}

WallTime Quota::resets_at(WallTime now) const {
  const sys_days today = std::chrono::floor<days>(now);
  return period_ == Period::day ? today + days(1) : first_of_month(first_of_month(today) + days(31));
}

// A clock that was set back must not open the quota anew: only a later period does. What lies further ahead
// than any period was counted by a clock that was wrong.
bool Quota::is_over(WallTime now) const {
  return start_of(now) > since_ || since_ > now + longest_period;
}

std::uint64_t Quota::used(WallTime now) const {
  return is_over(now) ? 0 : used_;
}

std::uint64_t Quota::left(WallTime now) const {
  if (!limited()) return std::numeric_limits<std::uint64_t>::max();
  return limit_ - std::min(limit_, used(now));
}

void Quota::take(std::uint64_t recipients, WallTime now) {
  used_ = used(now) + recipients;
  if (is_over(now)) since_ = start_of(now);
}

void Quota::give_back(std::uint64_t recipients) {
  used_ -= std::min(used_, recipients);
}

}  // namespace relayd::send
