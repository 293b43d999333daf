#include "relay/lifetime.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "queue/schedule.hpp"

namespace relayd {

using queue::Message;

namespace {

// A wall clock that differs by more was set.
constexpr auto clock_drift = std::chrono::minutes(1);
// No clock that is right says an earlier time.
constexpr WallTime first_believable = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

constexpr std::string_view expiry = "not delivered within ";

}  // namespace

std::string expiry_text(std::chrono::seconds lifetime) {
  return fmt::format("{}{} s", expiry, lifetime.count());
}

bool is_expiry(std::string_view text) {
  return text.starts_with(expiry);
}

bool clock_was_wrong(WallTime lives_from, WallTime now) {
  return lives_from < first_believable && now >= first_believable;
}

SteadyTime Lifetime::end_of(const Message& message) const {
  const WallTime from =
      clock_was_wrong(message.lives_from, loop_.wall_now()) ? loop_.wall_now() : message.lives_from;
  const WallTime end = from + setup_.config->queue.lifetime;
  return loop_.now() + std::max<Duration>(end - loop_.wall_now(), Duration::zero());
}

Duration Lifetime::at_most(const Message& message, Duration wait) const {
  return std::min(loop_.now() + wait, end_of(message)) - loop_.now();
}

bool Lifetime::is_over(Message& message) {
  if (clock_was_wrong(message.lives_from, loop_.wall_now())) queue_.renew(message);
  return queue::expired(message.lives_from, setup_.config->queue.lifetime, loop_.wall_now());
}

bool Lifetime::clock_was_set() {
  const auto steady = std::chrono::duration_cast<WallTime::duration>(loop_.now().time_since_epoch());
  const WallTime::duration offset = loop_.wall_now().time_since_epoch() - steady;
  const bool was_set = clock_offset_ && std::chrono::abs(offset - *clock_offset_) > clock_drift;
  if (!clock_offset_ || was_set) clock_offset_ = offset;
  return was_set;
}

}  // namespace relayd
