#include "accept/penalties.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <vector>

namespace relayd::accept {

namespace {

constexpr std::size_t everybody = 0;

std::size_t number_of(std::string_view account) {
  return std::hash<std::string_view>()(account) | 1;  // a name may be long
}

// What an account's failures are counted under that no success clears.
std::size_t total_of(std::string_view account) {
  return number_of(account) ^ 2;
}

// The IPv6 network of so many octets; empty: the client has no such address.
std::string network_of(std::string_view client, std::size_t octets) {
  in6_addr address{};
  if (::inet_pton(AF_INET6, std::string(client).c_str(), &address) != 1) return {};
  std::memset(address.s6_addr + octets, 0, sizeof address.s6_addr - octets);
  char network[INET6_ADDRSTRLEN];
  return std::string(::inet_ntop(AF_INET6, &address, network, sizeof network)) + "/" +
         std::to_string(8 * octets);
}

// Where a client is counted, and how many times the limits hold there; the narrowest first.
struct Scope {
  std::string network;
  unsigned times;
};

std::vector<Scope> scopes_of(std::string_view client) {
  constexpr std::size_t site_octets = 6;
  std::vector<Scope> scopes = {{counted_as(client), 1}};
  if (std::string site = network_of(client, site_octets); !site.empty())
    scopes.push_back({std::move(site), Penalties::times_for_a_site});
  return scopes;
}

}  // namespace

Duration Penalties::delay(unsigned failures_before) {
  return std::chrono::seconds(1U << std::min(failures_before, 3U));
}

Duration Penalties::failed(std::string_view client, std::string_view account, SteadyTime now) {
  make_room(now);
  unsigned most = 0;
  for (const Scope& scope : scopes_of(client)) {
    count({scope.network, everybody}, now);
    const unsigned failures = count({scope.network, number_of(account)}, now);
    if (scope.times > 1) continue;
    most = failures;
    count({scope.network, total_of(account)}, now);
  }
  return delay(most - 1);
}

void Penalties::succeeded(std::string_view client, std::string_view account, SteadyTime now) {
  for (const Scope& scope : scopes_of(client)) entries_.erase({scope.network, number_of(account)});
  if (trusted_.size() >= entries_limit)
    std::erase_if(trusted_, [now](const auto& entry) { return now - entry.second > trust; });
  if (trusted_.size() >= entries_limit) trusted_.erase(trusted_.begin());
  trusted_[{counted_as(client), number_of(account)}] = now;
  trusted_[{counted_as(client), everybody}] = now;
}

bool Penalties::knows(std::string_view client, SteadyTime now) const {
  return trusts({counted_as(client), everybody}, now);
}

bool Penalties::trusts(const Key& key, SteadyTime now) const {
  const auto known = trusted_.find(key);
  return known != trusted_.end() && now - known->second <= trust;
}

bool Penalties::exhausted(std::string_view client, std::string_view account, SteadyTime now) const {
  const bool trusted = trusts({counted_as(client), number_of(account)}, now);
  const std::vector<Scope> scopes = scopes_of(client);
  if (failures({scopes.front().network, total_of(account)}, now) >= limit_beside_success) return true;
  return std::any_of(scopes.begin(), scopes.end(), [&](const Scope& scope) {
    // Whoever logs in from his own network is not shut out by others around it.
    if (trusted && scope.times > 1) return false;
    const bool of_all = failures({scope.network, everybody}, now) >= limit_of_all * scope.times;
    return failures({scope.network, number_of(account)}, now) >= limit * scope.times || (of_all && !trusted);
  });
}

unsigned Penalties::count(Key key, SteadyTime now) {
  Entry& entry = entries_[std::move(key)];
  if (entry.failures == 0 || now - entry.since > memory) entry = {0, now};
  return ++entry.failures;
}

unsigned Penalties::failures(const Key& key, SteadyTime now) const {
  const auto entry = entries_.find(key);
  return entry != entries_.end() && now - entry->second.since <= memory ? entry->second.failures : 0;
}

void Penalties::make_room(SteadyTime now) {
  if (entries_.size() < entries_limit) return;
  std::erase_if(entries_, [now](const auto& entry) { return now - entry.second.since > memory; });
  // An attack from everywhere: memory is worth more than remembering all of it.
  if (entries_.size() >= entries_limit) entries_.clear();
}

std::string counted_as(std::string_view client) {
  constexpr std::size_t network_octets = 8;
  std::string network = network_of(client, network_octets);
  return network.empty() ? std::string(client) : network;
}

}  // namespace relayd::accept
