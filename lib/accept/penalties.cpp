#include "accept/penalties.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>

namespace relayd::accept {

Duration Penalties::failed(std::string_view client, SteadyTime now) {
  make_room(now);
  Entry& entry = entries_[counted_as(client)];
  if (now - entry.last > memory) entry.failures = 0;
  entry.last = now;
  const unsigned doublings = std::min(entry.failures++, 3U);
  return std::chrono::seconds(1U << doublings);
}

bool Penalties::exhausted(std::string_view client, SteadyTime now) const {
  const auto entry = entries_.find(counted_as(client));
  return entry != entries_.end() && entry->second.failures >= limit && now - entry->second.last <= memory;
}

void Penalties::make_room(SteadyTime now) {
  if (entries_.size() < clients_limit) return;
  std::erase_if(entries_, [now](const auto& entry) { return now - entry.second.last > memory; });
  // An attack from everywhere: memory is worth more than remembering all of it.
  if (entries_.size() >= clients_limit) entries_.clear();
}

std::string counted_as(std::string_view client) {
  constexpr std::size_t network_octets = 8;
  in6_addr address{};
  const std::string text(client);
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) return text;
  std::memset(address.s6_addr + network_octets, 0, sizeof address.s6_addr - network_octets);
  char network[INET6_ADDRSTRLEN];
  return std::string(::inet_ntop(AF_INET6, &address, network, sizeof network)) + "/64";
}

}  // namespace relayd::accept
