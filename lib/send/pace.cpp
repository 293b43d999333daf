#include "send/pace.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <ranges>

namespace relayd::send {

using namespace std::chrono_literals;
using config::Counted;
using config::Rate;

namespace {
// A timer that rings late, or a connection that is busy for a moment, is made up for; not more.
constexpr Duration lateness = 100ms;
constexpr Duration memory = 10s;  // of what was sent of late
constexpr Duration slowest = 60s;
constexpr Duration no_limit_below = 1ms;
constexpr Duration recovery = 60s;  // in which the pace doubles
constexpr Duration named_holds = 24h;
// The slowest that is documented, of Cloudflare's for new accounts: ten an hour.
constexpr Duration slowest_named = 6min;
// More than so many times the named rate went of late: the number was about something else.
constexpr double beyond_belief = 10;

Duration times(Duration duration, double factor) {
  return Duration(static_cast<Duration::rep>(static_cast<double>(duration.count()) * factor));
}

double ratio(Duration part, Duration whole) {
  return std::chrono::duration<double>(part) / std::chrono::duration<double>(whole);
}

Window::Time window_time(SteadyTime time) {
  return std::chrono::floor<Window::Time>(time.time_since_epoch());
}

// Of those that count the same, the one of the shortest time.
bool is_spacing(const Rate& rate, const std::vector<Rate>& rates) {
  return std::ranges::none_of(rates, [&rate](const Rate& other) {
    return other.counted == rate.counted && other.period < rate.period;
  });
}
}  // namespace

Duration Pace::Flow::learnt(SteadyTime now) const {
  if (slowed_to_ == Duration::zero()) return {};
  const Duration spacing = times(slowed_to_, std::exp2(-ratio(now - slowed_at_, recovery)));
  return spacing < no_limit_below ? Duration::zero() : spacing;
}

Duration Pace::Flow::spacing(SteadyTime now) const {
  return std::max(configured_, learnt(now));
}

SteadyTime Pace::Flow::ready_at(SteadyTime now) const {
  return spacing(now) == Duration::zero() ? now : std::max(now, next_);
}

double Pace::Flow::recent(SteadyTime now) const {
  return recent_ * std::exp(-ratio(now - recent_at_, memory));
}

void Pace::Flow::take(std::uint32_t count, SteadyTime now) {
  const bool in_time = now - next_ <= lateness;
  next_ = (in_time ? next_ : now) + spacing(now) * count;
  recent_ = recent(now);
  if (recent_ < 0.5) recent_since_ = now;
  recent_ += count;
  recent_at_ = now;
}

Duration Pace::Flow::seen(SteadyTime now) const {
  return times(std::clamp<Duration>(now - recent_since_, 1s, memory), 1 / std::max(recent(now), 1.0));
}

void Pace::Flow::slow_down(SteadyTime now) {
  slowed_to_ = std::clamp<Duration>(2 * std::max(spacing(now), seen(now)), no_limit_below, slowest);
  slowed_at_ = now;
}

// --- both flows, and what bounds them ---

std::uint64_t Pace::Bound::left(SteadyTime now) const {
  return rate.count - std::min<std::uint64_t>(rate.count, window.used(window_time(now)));
}

void Pace::use(std::vector<Rate> rates) {
  rates_ = std::move(rates);
  apply();
}

void Pace::apply() {
  std::vector<Rate> rates = rates_;
  for (const auto& [rate, until] : learnt_) {
    const auto same =
        std::ranges::find_if(rates, [&rate = rate](const Rate& other) { return alike(other, rate); });
    if (same == rates.end())
      rates.push_back(rate);
    else
      same->count = std::min(same->count, rate.count);
  }
  Duration recipients{}, messages{};
  std::vector<Bound> bounds;
  for (const Rate& rate : rates) {
    const bool spaces = is_spacing(rate, rates);
    if (spaces)
      (rate.counted == Counted::messages ? messages : recipients) = Duration(rate.period) / rate.count;
    const auto old = std::ranges::find_if(bounds_, [&](const Bound& b) { return alike(b.rate, rate); });
    if (spaces && (old == bounds_.end() || !old->until)) continue;
    bounds.push_back(
        {rate, old == bounds_.end() ? Window(rate.period) : old->window, spaces ? old->until : std::nullopt});
  }
  recipients_.use(recipients);
  messages_.use(messages);
  bounds_ = std::move(bounds);
}

// As if it went as late as its slice of time allows.
void Pace::recall(const Rate& rate, const std::vector<Earlier>& earlier, SteadyTime now) {
  if (earlier.empty()) return;
  auto bound = std::ranges::find_if(bounds_, [&](const Bound& b) { return alike(b.rate, rate); });
  if (bound == bounds_.end()) bound = bounds_.insert(bounds_.end(), {rate, Window(rate.period), now});
  const Window::Time slice = bound->window.slice();
  for (const auto& [when, count] : earlier)
    bound->window.add(count, window_time(std::min<SteadyTime>(when + slice, now)));
  if (bound->until) bound->until = now + rate.period + 2 * slice;
}

bool Pace::learn(const Rate& rate, SteadyTime now) {
  const bool lasts = rate.period > memory;
  const Flow& of_these = flow(rate.counted);
  if (rate.count == 0 || Duration(rate.period) / rate.count > slowest_named) return false;
  if (lasts && of_these.recent(now) > beyond_belief * rate.count) return false;
  const auto keeps = [&rate](const Rate& kept) { return alike(kept, rate) && kept.count <= rate.count; };
  if (std::ranges::any_of(rates_, keeps)) return false;
  const bool is_new = std::ranges::none_of(learnt_, keeps, &Learnt::rate);
  std::erase_if(learnt_, [&rate](const Learnt& old) { return alike(old.rate, rate); });
  learnt_.push_back({rate, now + named_holds});
  apply();
  return is_new;
}

SteadyTime Pace::ready_at(SteadyTime now) const {
  SteadyTime ready = std::max(recipients_.ready_at(now), messages_.ready_at(now));
  for (const Bound& bound : bounds_) {
    if (bound.left(now) > 0) continue;
    if (const auto eases = bound.window.eases_at(window_time(now)))
      ready = std::max(ready, SteadyTime(*eases));
  }
  return ready;
}

std::uint64_t Pace::most(SteadyTime now) const {
  std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
  for (const Bound& bound : bounds_)
    if (bound.rate.counted == Counted::recipients) most = std::min(most, bound.left(now));
  return most;
}

std::optional<std::uint64_t> Pace::left(SteadyTime now) const {
  const bool spaced = recipients_.spacing(now) + messages_.spacing(now) > Duration::zero();
  if (!spaced && bounds_.empty()) return std::nullopt;
  if (ready_at(now) > now) return 0;
  if (bounds_.empty()) return 1;
  const auto left_of = [now](const Bound& bound) { return bound.left(now); };
  return std::ranges::min(bounds_ | std::views::transform(left_of));
}

void Pace::take(std::uint32_t recipients, SteadyTime now) {
  std::erase_if(bounds_, [now](const Bound& bound) { return bound.until && now >= *bound.until; });
  if (std::erase_if(learnt_, [now](const Learnt& learnt) { return now >= learnt.until; }) > 0) apply();
  recipients_.take(recipients, now);
  messages_.take(1, now);
  for (Bound& bound : bounds_)
    bound.window.add(bound.rate.counted == Counted::messages ? 1 : recipients, window_time(now));
}

void Pace::slow_down(SteadyTime now) {
  recipients_.slow_down(now);
  messages_.slow_down(now);
}

bool Pace::slowed(SteadyTime now) const {
  return recipients_.slowed(now) || messages_.slowed(now);
}

}  // namespace relayd::send
