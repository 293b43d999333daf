// Schedule: when a message is tried again, and when it has been tried long enough. Pure.
//
// Used by whoever fills an Outcome; the queue itself only keeps the times it is given.
#pragma once

#include <cstdint>

#include "shared/base/time.hpp"

namespace relayd::queue {

// The delays between attempts: `first`, then each `factor` times the one before, never above `maximum`; each
// is then multiplied by 1 ± jitter, so that messages that failed together do not come back together.
struct Backoff {
  Duration first = std::chrono::minutes(1);
  double factor = 2.0;
  Duration maximum = std::chrono::hours(1);
  double jitter = 0.2;
};

// The delay after the attempt number `attempts` (1: the first). `draw` is random in [0, 1).
Duration retry_delay(const Backoff& backoff, std::uint32_t attempts, double draw);

// True when a message accepted then is too old to be tried again (RFC 5321 4.5.4.1). A clock that was set
// back makes no message older.
bool expired(WallTime accepted, Duration lifetime, WallTime now);

}  // namespace relayd::queue
