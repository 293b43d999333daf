#include "shared/net/addresses.hpp"

#include <algorithm>

namespace relayd::net {

namespace {

bool is_v6(const std::string& address) {
  return address.find(':') != std::string::npos;
}

}  // namespace

std::vector<std::string> Addresses::in_order(const std::string& name, std::vector<std::string> found,
                                             SteadyTime now) {
  if (!has_room_for(name, now)) return found;
  Host& host = hosts_[name];
  std::erase_if(host.left, [now](const auto& entry) { return entry.second <= now; });
  std::stable_partition(found.begin(), found.end(),
                        [&](const std::string& address) { return !is_left(host, address, now); });
  host.found = found;
  return found;
}

bool Addresses::leave(const std::string& name, const std::string& address, SteadyTime now) {
  if (!has_room_for(name, now)) return false;
  Host& host = hosts_[name];
  host.left[address] = now + left_for;
  return std::ranges::any_of(host.found,
                             [&](const std::string& other) { return !is_left(host, other, now); });
}

// Hosts of which nothing is left alone make room.
bool Addresses::has_room_for(const std::string& name, SteadyTime now) {
  if (hosts_.size() < most_hosts || hosts_.contains(name)) return true;
  std::erase_if(hosts_, [now](const auto& entry) {
    return std::ranges::none_of(entry.second.left, [now](const auto& left) { return now < left.second; });
  });
  return hosts_.size() < most_hosts;
}

bool Addresses::is_left(const Host& host, const std::string& address, SteadyTime now) const {
  const auto found = host.left.find(address);
  return found != host.left.end() && now < found->second;
}

std::vector<std::string> interleave(const std::vector<std::string>& addresses) {
  if (addresses.empty()) return {};
  const bool first = is_v6(addresses.front());
  std::vector<std::string> ordered = addresses;
  const auto middle =
      std::stable_partition(ordered.begin(), ordered.end(),
                            [first](const std::string& address) { return is_v6(address) == first; });
  const std::vector<std::string> others(middle, ordered.end());
  ordered.erase(middle, ordered.end());
  for (std::size_t i = 0; i < others.size(); ++i)
    ordered.insert(ordered.begin() + static_cast<std::ptrdiff_t>(std::min(2 * i + 1, ordered.size())),
                   others[i]);
  return ordered;
}

}  // namespace relayd::net
