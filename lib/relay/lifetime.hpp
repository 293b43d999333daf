// Lifetime: when a message is given up, by a wall clock that may be wrong or be set meanwhile.
//
// Owned by the dispatcher, which asks before it hands a message on. What ends is given up by GiveUp.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "queue/queue.hpp"
#include "relay/setup.hpp"
#include "shared/async/loop.hpp"
#include "shared/base/time.hpp"

namespace relayd {

// What is recorded of recipients whose time is over, and whether a text is that.
std::string expiry_text(std::chrono::seconds lifetime);
bool is_expiry(std::string_view text);

// A clock that has not been set yet, at a start without a battery, says 1970: what was accepted by it is not
// old.
bool clock_was_wrong(WallTime lives_from, WallTime now);

class Lifetime {
 public:
  // `setup` is the dispatcher's; what it says at the moment holds.
  Lifetime(async::Loop& loop, queue::Queue& queue, const Setup& setup)
      : loop_(loop), queue_(queue), setup_(setup) {}

  // When the message must come up again, whatever it waits for.
  SteadyTime end_of(const queue::Message& message) const;
  // The wait, or what is left of the lifetime where that is less.
  Duration at_most(const queue::Message& message, Duration wait) const;
  // Too old to be tried again. A message that was accepted before the clock was right starts anew.
  bool is_over(queue::Message& message);
  // The wall clock was set by more than a minute since the last call: what end_of() returned no longer holds.
  bool clock_was_set();

 private:
  async::Loop& loop_;
  queue::Queue& queue_;
  const Setup& setup_;
  std::optional<WallTime::duration> clock_offset_;  // of the wall clock, when it was looked at last
};

}  // namespace relayd
