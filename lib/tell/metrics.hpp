// Metrics of mail: what has become of messages, counted as it is told.
//
// Last stage of the path, a subscriber of the Publisher. Owned by the relay; counts from its start. What can
// be read off the queue and the lanes at any moment is not counted here: watch/metrics.hpp reads it when
// asked.
#pragma once

#include <vector>

#include "shared/telemetry/metrics.hpp"
#include "tell/publisher.hpp"

namespace relayd::tell {

class Metrics {
 public:
  Metrics();

  // Hears for this, which outlives it.
  Subscriber subscriber();

  // As they are now.
  const std::vector<telemetry::Family>& families() const { return families_; }

 private:
  void count(const Arrival& arrival);
  void count(const Outcome& outcome);
  void count(const GivenUp& given_up);
  void count(const Reported& report);
  void count(const Suppressed& recipient);

  std::vector<telemetry::Family> families_;
};

}  // namespace relayd::tell
