// RateLimit: how often clients may begin something expensive. Nobody is refused: a client that is too fast
// waits. Pure: time is an argument.
//
// First stage of the path; owned by the relay, one of each kind for all listeners, asked by the session.
// Connections that wait count towards their limit. So what one address can cost the loop has a bound, and so
// has what all of them can.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "shared/base/time.hpp"

namespace relayd::accept {

class RateLimit {
 public:
  struct Rate {
    unsigned a_second;
    unsigned at_once;  // so many need not wait, after a time in which nobody came
  };
  static constexpr std::size_t clients_limit = 10'000;

  RateLimit(Rate of_client, Rate of_all) : of_client_(of_client), of_all_(of_all) {}

  // When the client may begin, now or later; it counts as one that does. A client is what counted_as() says.
  SteadyTime next_for(std::string_view client, SteadyTime now);
  // The same of all clients together, to be asked when the client's time has come.
  SteadyTime next_for_all(SteadyTime now) { return next_for(of_all_, next_of_all_, now); }
  // Of all clients of addresses where somebody has logged in of late: strangers, however many, are not before
  // them.
  SteadyTime next_for_known(SteadyTime now) { return next_for(of_all_, next_of_known_, now); }

 private:
  static SteadyTime next_for(Rate rate, SteadyTime& next, SteadyTime now);

  Rate of_client_;
  Rate of_all_;
  std::map<std::string, SteadyTime, std::less<>> next_;
  SteadyTime next_of_all_{};
  SteadyTime next_of_known_{};
};

// What clients elsewhere may only begin so often.
struct Gate {
  RateLimit connections{{100, 200}, {2'000, 4'000}};
  RateLimit handshakes{{20, 100}, {200, 400}};  // of TLS: a signature each
};

}  // namespace relayd::accept
