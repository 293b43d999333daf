// Addresses: which of a host's addresses come last, because they let us connect and then refused to talk.
//
// Owned by NetDialer. A pure value: time is an argument.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "shared/base/time.hpp"

namespace relayd::net {

class Addresses {
 public:
  static constexpr Duration left_for = std::chrono::minutes(10);

  // What a lookup found, in the order to try: those that are left alone stand last.
  std::vector<std::string> in_order(const std::string& host, std::vector<std::string> found, SteadyTime now);
  // Leaves that address alone for a while. True: another one of the host is not left alone.
  bool leave(const std::string& host, const std::string& address, SteadyTime now);

 private:
  struct Host {
    std::vector<std::string> found;          // by the latest lookup
    std::map<std::string, SteadyTime> left;  // until when
  };
  bool is_left(const Host& host, const std::string& address, SteadyTime now) const;

  std::map<std::string, Host> hosts_;
};

}  // namespace relayd::net
