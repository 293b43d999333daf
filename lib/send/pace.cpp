#include "send/pace.hpp"

#include <algorithm>
#include <cmath>

namespace relayd::send {

using namespace std::chrono_literals;

namespace {
// A timer that rings late, or a connection that is busy for a moment, is made up for; not more.
constexpr Duration lateness = 100ms;
constexpr Duration memory = 10s;  // of what was sent of late
constexpr Duration slowest = 60s;
constexpr Duration no_limit_below = 1ms;
constexpr Duration recovery = 60s;  // in which the pace doubles

Duration times(Duration duration, double factor) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(duration.count()) * factor));
}

double ratio(Duration part, Duration whole) {
  return std::chrono::duration<double>(part) / std::chrono::duration<double>(whole);
}
}  // namespace

Duration Pace::learnt(SteadyTime now) const {
  if (slowed_to_ == Duration::zero()) return {};
  const Duration spacing = times(slowed_to_, std::exp2(-ratio(now - slowed_at_, recovery)));
  return spacing < no_limit_below ? Duration::zero() : spacing;
}

Duration Pace::spacing(SteadyTime now) const {
  return std::max(configured_, learnt(now));
}

SteadyTime Pace::ready_at(SteadyTime now) const {
  return spacing(now) == Duration::zero() ? now : std::max(now, next_);
}

double Pace::recent(SteadyTime now) const {
  return recent_ * std::exp(-ratio(now - recent_at_, memory));
}

void Pace::take(std::uint32_t recipients, SteadyTime now) {
  const bool in_time = now - next_ <= lateness;
  next_ = (in_time ? next_ : now) + spacing(now) * recipients;
  recent_ = recent(now);
  if (recent_ < 0.5) recent_since_ = now;
  recent_ += recipients;
  recent_at_ = now;
}

Duration Pace::seen(SteadyTime now) const {
  return times(std::clamp<Duration>(now - recent_since_, 1s, memory), 1 / std::max(recent(now), 1.0));
}

void Pace::slow_down(SteadyTime now) {
  slowed_to_ = std::clamp<Duration>(2 * std::max(spacing(now), seen(now)), no_limit_below, slowest);
  slowed_at_ = now;
}

}  // namespace relayd::send
