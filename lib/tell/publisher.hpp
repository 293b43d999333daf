// Publisher: hands what has become of a message to all who hear of it: to the log first, then to whoever
// subscribed.
//
// Last stage of the path. Owned by the relay; told once the queue has recorded it. It decides nothing.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "shared/telemetry/log.hpp"
#include "tell/outcome.hpp"

namespace relayd::tell {

// What it does not want to hear is left empty.
struct Subscriber {
  std::function<void(const Arrival&)> arrived = {};
  std::function<void(const Outcome&)> attempted = {};
  std::function<void(const GivenUp&)> given_up = {};
  std::function<void(const Handled&)> handled = {};
  std::function<void(const Reported&)> reported = {};
  std::function<void(const Suppressed&)> suppressed = {};
  std::function<void(const AccountNews&)> account_changed = {};
};

class Publisher {
 public:
  explicit Publisher(telemetry::Log& log);

  // Hears all that comes from now on, behind those before.
  void subscribe(Subscriber subscriber) { subscribers_.push_back(std::move(subscriber)); }

  void publish(const Arrival& arrival) const { tell(&Subscriber::arrived, arrival); }
  void publish(const Outcome& outcome) const { tell(&Subscriber::attempted, outcome); }
  void publish(const GivenUp& given_up) const { tell(&Subscriber::given_up, given_up); }
  void publish(const Handled& message) const { tell(&Subscriber::handled, message); }
  void publish(const Reported& report) const { tell(&Subscriber::reported, report); }
  void publish(const Suppressed& recipient) const { tell(&Subscriber::suppressed, recipient); }
  void publish(const AccountNews& account) const { tell(&Subscriber::account_changed, account); }

 private:
  template <class News>
  void tell(std::function<void(const News&)> Subscriber::*hears, const News& news) const {
    for (const Subscriber& one : subscribers_)
      if (one.*hears) (one.*hears)(news);
  }

  std::vector<Subscriber> subscribers_;
};

}  // namespace relayd::tell
