#include "queue/schedule.hpp"

#include <algorithm>

namespace relayd::queue {

Duration retry_delay(const Backoff& backoff, std::uint32_t attempts, double draw) {
  const double maximum = static_cast<double>(backoff.maximum.count());
  double delay = std::min(static_cast<double>(backoff.first.count()), maximum);
  for (std::uint32_t i = 1; i < attempts && delay < maximum && backoff.factor > 1; ++i)
    delay = std::min(delay * backoff.factor, maximum);
  const double spread = 1 + backoff.jitter * (2 * draw - 1);
  return Duration(static_cast<Duration::rep>(delay * spread));
}

bool expired(WallTime accepted, Duration lifetime, WallTime now) {
  return now - accepted >= lifetime;
}

}  // namespace relayd::queue
