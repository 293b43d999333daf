#include "shared/net/addresses.hpp"

#include <algorithm>

namespace relayd::net {

std::vector<std::string> Addresses::in_order(const std::string& name, std::vector<std::string> found,
                                             SteadyTime now) {
  Host& host = hosts_[name];
  std::erase_if(host.left, [now](const auto& entry) { return entry.second <= now; });
  std::stable_partition(found.begin(), found.end(),
                        [&](const std::string& address) { return !is_left(host, address, now); });
  host.found = found;
  return found;
}

bool Addresses::leave(const std::string& name, const std::string& address, SteadyTime now) {
  Host& host = hosts_[name];
  host.left[address] = now + left_for;
  return std::ranges::any_of(host.found,
                             [&](const std::string& other) { return !is_left(host, other, now); });
}

bool Addresses::is_left(const Host& host, const std::string& address, SteadyTime now) const {
  const auto found = host.left.find(address);
  return found != host.left.end() && now < found->second;
}

}  // namespace relayd::net
