#include "accept/penalties.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <functional>

namespace relayd::accept {

namespace {

// The IPv6 network of so many octets; empty: the client has no such address. A link-local one comes with its
// interface, "fe80::1%eth0".
std::string network_of(std::string_view client, std::size_t octets) {
  in6_addr address{};
  const std::string text(client.substr(0, client.find('%')));
  if (::inet_pton(AF_INET6, text.c_str(), &address) != 1) return {};
  std::memset(address.s6_addr + octets, 0, sizeof address.s6_addr - octets);
  char network[INET6_ADDRSTRLEN];
  return std::string(::inet_ntop(AF_INET6, &address, network, sizeof network)) + "/" +
         std::to_string(8 * octets);
}

// The /48 around an IPv6 client; empty: it has none.
std::string site_of(std::string_view client) {
  constexpr std::size_t site_octets = 6;
  return network_of(client, site_octets);
}

}  // namespace

// --- memory ---

unsigned Penalties::Memory::find(const Key& key, SteadyTime now) const {
  const auto known = entries_.find(key);
  return known != entries_.end() && now - known->second->since <= length_ ? known->second->number : 0;
}

void Penalties::Memory::set(const Key& key, unsigned number, SteadyTime now) {
  if (const auto known = entries_.find(key); known != entries_.end()) {
    by_age_.splice(by_age_.end(), by_age_, known->second);
    known->second->number = number;
    known->second->since = now;
    return;
  }
  if (entries_.size() >= entries_limit) {
    entries_.erase(by_age_.front().key);
    by_age_.pop_front();
  }
  entries_.emplace(key, by_age_.insert(by_age_.end(), {key, number, now}));
}

unsigned Penalties::Memory::count(const Key& key, SteadyTime now) {
  if (find(key, now) == 0) {
    set(key, 1, now);
    return 1;
  }
  return ++entries_.find(key)->second->number;
}

// --- what is counted ---

Penalties::Key Penalties::everybody(std::string network) {
  return {std::move(network), Key::Of::everybody, 0};
}

Penalties::Key Penalties::one(std::string network, std::string_view account) {
  return {std::move(network), Key::Of::account, std::hash<std::string_view>()(account)};
}

Duration Penalties::delay(unsigned failures_before) {
  return std::chrono::seconds(1U << std::min(failures_before, 3U));
}

Duration Penalties::failed(std::string_view client, std::string_view account, SteadyTime now) {
  if (const std::string site = site_of(client); !site.empty()) {
    failures_.count(everybody(site), now);
    failures_.count(one(site, account), now);
  }
  const std::string network = counted_as(client);
  failures_.count(everybody(network), now);
  return delay(failures_.count(one(network, account), now) - 1);
}

void Penalties::succeeded(std::string_view client, std::string_view account, SteadyTime now) {
  const std::string network = counted_as(client);
  logins_.set(everybody(network), 1, now);
  logins_.set(one(network, account), 1, now);
}

bool Penalties::knows(std::string_view client, SteadyTime now) const {
  return logins_.find(everybody(counted_as(client)), now) != 0;
}

bool Penalties::exhausted(std::string_view client, std::string_view account, SteadyTime now) const {
  const std::string network = counted_as(client);
  if (logins_.find(one(network, account), now) != 0) return false;
  if (too_many(network, account, 1, now)) return true;
  const std::string site = site_of(client);
  return !site.empty() && too_many(site, account, times_for_a_site, now);
}

bool Penalties::too_many(const std::string& network, std::string_view account, unsigned times,
                         SteadyTime now) const {
  return failures_.find(one(network, account), now) >= limit * times ||
         failures_.find(everybody(network), now) >= limit_of_all * times;
}

std::string counted_as(std::string_view client) {
  constexpr std::size_t network_octets = 8;
  std::string network = network_of(client, network_octets);
  return network.empty() ? std::string(client) : network;
}

}  // namespace relayd::accept
