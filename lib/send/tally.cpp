#include "send/tally.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace relayd::send {

using config::Quota;
using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

namespace {
// A clock further ahead than any period was wrong.
constexpr days longest_period{31};

sys_days first_of_month(sys_days day) {
  const year_month_day date(day);
  return sys_days(date.year() / date.month() / 1);
}

Window::Time window_time(WallTime time) {
  return time.time_since_epoch();
}
}  // namespace

Tally::Tally(const Quota& quota) : quota_(quota), window_(quota.span) {}

WallTime Tally::start_of(WallTime now) const {
  const sys_days today = std::chrono::floor<days>(now);
  return quota_.period == Quota::Period::day ? today : first_of_month(today);
}

// A clock that was set back must not open the quota anew: only a later period does.
bool Tally::is_over(WallTime now) const {
  return start_of(now) > since_ || since_ > now + longest_period;
}

std::uint64_t Tally::used(WallTime now) const {
  if (slides()) return window_.used(window_time(now));
  return is_over(now) ? 0 : used_;
}

void Tally::add(std::uint64_t count, WallTime now) {
  if (slides()) return window_.add(count, window_time(now));
  const std::uint64_t before = used(now);
  used_ = before + std::min(count, std::numeric_limits<std::uint64_t>::max() - before);
  if (is_over(now)) since_ = start_of(now);
}

// Of one that slides and of which nothing is used: when what is used now would count no more.
WallTime Tally::eases_at(WallTime now) const {
  if (slides())
    return WallTime(
        window_.eases_at(window_time(now)).value_or(window_time(now) + quota_.span + window_.slice()));
  const sys_days today = std::chrono::floor<days>(now);
  if (quota_.period == Quota::Period::day) return today + days(1);
  return first_of_month(first_of_month(today) + longest_period);
}

std::vector<Tally::Entry> Tally::entries(WallTime now) const {
  std::vector<Entry> entries;
  if (slides()) {
    for (const Window::Slice& slice : window_.slices(window_time(now)))
      entries.push_back({WallTime(slice.begin), slice.count});
  } else if (const std::uint64_t count = used(now); count > 0) {
    entries.push_back({since_, count});
  }
  return entries;
}

void Tally::restore(const Entry& entry) {
  if (slides()) return window_.add(entry.count, window_time(entry.time));
  used_ = entry.count;
  since_ = entry.time;
}

// A day's or month's count says when its period began, which is enough for another period. For a span, what
// the present day has counted may all have been a moment ago; a month's is spread over the time since it
// began. What a span has counted says when, as far as it looks back.
void Tally::continue_from(const Tally& other, WallTime now) {
  if (other.quota_.counted != quota_.counted) return;
  if (other.slides()) {
    for (const Entry& entry : other.entries(now))
      if (slides())
        restore(entry);
      else if (entry.time >= start_of(now))
        add(entry.count, now);
  } else if (!slides()) {
    restore({other.since_, other.used_});
  } else if (other.quota_.period == Quota::Period::day) {
    add(other.used(now), now);
  } else {
    spread(other.used(now), other.since_, now);
  }
}

// As if so many had gone evenly since then.
void Tally::spread(std::uint64_t count, WallTime since, WallTime now) {
  const Window::Time slice = window_.slice();
  const Window::Time elapsed = std::max<Window::Time>(now - since, slice);
  const Window::Time within = std::min<Window::Time>(elapsed, quota_.span);
  double left = static_cast<double>(count) * std::chrono::duration<double>(within) /
                std::chrono::duration<double>(elapsed);
  const double each = left * std::chrono::duration<double>(slice) / std::chrono::duration<double>(within);
  for (WallTime time = now - within; time < now && left > 0; time += slice) {
    const double part = std::min(left, each);
    add(static_cast<std::uint64_t>(std::ceil(left) - std::ceil(left - part)), time);
    left -= part;
  }
}

}  // namespace relayd::send
