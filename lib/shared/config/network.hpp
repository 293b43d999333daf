// Network: an IPv4 or IPv6 prefix ("127.0.0.0/8", "::1"), and whether an address lies in it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"

namespace relayd::config {

class Network {
 public:
  // "ADDRESS" or "ADDRESS/BITS"; host bits must be zero. An IPv4-mapped IPv6 address counts as IPv4.
  static Result<Network> parse(std::string_view text);

  // False for text that is no IP address. "unix" (a unix-socket peer) is in no network.
  bool contains(std::string_view address) const;
  std::string text() const;
  bool is_loopback() const;  // every address in it is a loopback address

 private:
  std::array<std::uint8_t, 16> address_{};  // IPv4 in mapped form; zero behind the prefix
  int bits_ = 128;
};

}  // namespace relayd::config
