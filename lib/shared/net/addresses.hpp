// Addresses: which of a host's addresses come last, because they let us connect and then refused to talk;
// also which of a domain's servers do.
//
// Owned by NetDialer. A pure value: time is an argument. Knows so many hosts at most, as DNS names them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shared/base/time.hpp"

namespace relayd::net {

class Addresses {
 public:
  static constexpr Duration left_for = std::chrono::minutes(10);
  static constexpr std::size_t most_hosts = 10'000;

  // What a lookup found, in the order to try: those that are left alone stand last.
  std::vector<std::string> in_order(const std::string& host, std::vector<std::string> found, SteadyTime now);
  // Leaves that address alone for a while. True: another one of the host is not left alone.
  bool leave(const std::string& host, const std::string& address, SteadyTime now);

 private:
  struct Host {
    std::vector<std::string> found;          // by the latest lookup
    std::map<std::string, SteadyTime> left;  // until when
  };
  bool has_room_for(const std::string& name, SteadyTime now);
  bool is_left(const Host& host, const std::string& address, SteadyTime now) const;

  std::map<std::string, Host> hosts_;
};

// IPv6 and IPv4 in turn, beginning with the family of the first, each in its order (RFC 8305 4).
std::vector<std::string> interleave(const std::vector<std::string>& addresses);

}  // namespace relayd::net
