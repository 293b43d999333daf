// Publisher: hands what has become of a message to all who hear of it: to the log first, then to whoever
// subscribed.
//
// Last stage of the path. Owned by the dispatcher; told once the queue has recorded it. It decides
// nothing.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "shared/telemetry/log.hpp"
#include "tell/outcome.hpp"

namespace relayd::tell {

// What it does not want to hear is left empty.
struct Subscriber {
  std::function<void(const Outcome&)> attempted = {};
  std::function<void(const GivenUp&)> given_up = {};
};

class Publisher {
 public:
  explicit Publisher(telemetry::Log& log);

  // Hears all that comes from now on, behind those before.
  void subscribe(Subscriber subscriber) { subscribers_.push_back(std::move(subscriber)); }

  void publish(const Outcome& outcome) const {
    for (const Subscriber& one : subscribers_)
      if (one.attempted) one.attempted(outcome);
  }
  void publish(const GivenUp& given_up) const {
    for (const Subscriber& one : subscribers_)
      if (one.given_up) one.given_up(given_up);
  }

 private:
  std::vector<Subscriber> subscribers_;
};

}  // namespace relayd::tell
