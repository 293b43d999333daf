// Penalties: what failed logins cost a client. Pure: time is an argument.
//
// First stage of the path; owned by the relay, one for all listeners, asked by the session at AUTH. A client
// is its address, of IPv6 the /64 network. What happened is forgotten after ten quiet minutes. It locks no
// account: that would let anybody lock out anybody.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "shared/base/time.hpp"

namespace relayd::accept {

class Penalties {
 public:
  static constexpr unsigned limit = 20;  // failures after which no login is tried
  static constexpr Duration memory = std::chrono::minutes(10);
  static constexpr std::size_t clients_limit = 10'000;

  // A login failed. How long after its beginning it is answered: one second, then two, four, at most eight.
  Duration failed(std::string_view client, SteadyTime now);
  // Too many have failed of late.
  bool exhausted(std::string_view client, SteadyTime now) const;

 private:
  struct Entry {
    unsigned failures = 0;
    SteadyTime last;
  };
  void make_room(SteadyTime now);

  std::map<std::string, Entry, std::less<>> entries_;
};

// The client for counting: an IPv6 address stands for its /64, of which one machine has all.
std::string counted_as(std::string_view client);

}  // namespace relayd::accept
