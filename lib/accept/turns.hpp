// Turns: when a client may begin what costs everybody time. Pure: time is an argument.
//
// First stage of the path; owned by the relay, one pair for all listeners, asked by the session. Nobody is
// refused: who comes too fast waits for his turn, and connections that wait count towards their limit. So
// what one address can cost the loop has a bound, and so has what all of them can.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "shared/base/time.hpp"

namespace relayd::accept {

class Turns {
 public:
  struct Rate {
    unsigned a_second;
    unsigned at_once;  // so many need not wait, after a time in which nobody came
  };
  static constexpr std::size_t clients_limit = 10'000;

  Turns(Rate of_client, Rate of_all) : of_client_(of_client), of_all_(of_all) {}

  // Takes the next turn of the client; when that is, now or later. A client is what counted_as() says.
  SteadyTime take(std::string_view client, SteadyTime now);
  // The next turn of all clients, to be taken when the client's has come.
  SteadyTime take_of_all(SteadyTime now) { return take(of_all_, next_of_all_, now); }
  // Of all clients of addresses where somebody has logged in of late: strangers, however many, are not before
  // them.
  SteadyTime take_of_known(SteadyTime now) { return take(of_all_, next_of_known_, now); }

 private:
  static SteadyTime take(Rate rate, SteadyTime& next, SteadyTime now);

  Rate of_client_;
  Rate of_all_;
  std::map<std::string, SteadyTime, std::less<>> next_;
  SteadyTime next_of_all_{};
  SteadyTime next_of_known_{};
};

// What clients elsewhere take turns at.
struct Gate {
  Turns connections{{100, 200}, {2'000, 4'000}};
  Turns handshakes{{20, 100}, {200, 400}};  // of TLS: a signature each
};

}  // namespace relayd::accept
