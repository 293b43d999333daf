// Metrics of mail: what has become of messages, counted as it is told.
//
// Last stage of the path, a subscriber of the Publisher. Owned by the relay; counts from its start. What can
// be read off the queue and the lanes at any moment is not counted here: watch/metrics.hpp reads it when
// asked.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/telemetry/metrics.hpp"
#include "tell/publisher.hpp"

namespace relayd::tell {

// What has become of messages since the start, whatever their way.
struct Sums {
  std::uint64_t accepted = 0;  // or held
  std::uint64_t delivered = 0;
  std::uint64_t deferred = 0;  // attempts after which it waits again
  std::uint64_t failed = 0;    // or given up
  double queue_seconds = 0;    // that those delivered have waited, all together
};

class Metrics {
 public:
  Metrics();

  // Hears for this, which outlives it.
  Subscriber subscriber();

  // As they are now.
  const std::vector<telemetry::Family>& families() const { return families_; }
  // Of the same.
  Sums sums() const;
  // Messages whose senders were sent a report that they failed.
  std::uint64_t bounced() const;

 private:
  void count(const Arrival& arrival);
  void count(const Outcome& outcome);
  void count(const GivenUp& given_up);
  void count(const Reported& report);
  void count(const Suppressed& recipient);

  std::vector<telemetry::Family> families_;
};

}  // namespace relayd::tell
