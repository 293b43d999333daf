#include "shared/net/server_finder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/dns/mail_hosts.hpp"

namespace relayd::net {

using async::IoError;
using async::IoFault;
using async::ServerName;
using async::ServerQuery;
using async::Task;

namespace {

dns::RecordType type_of(const ServerQuery& query) {
  return query.kind == ServerQuery::Kind::mx ? dns::RecordType::mx : dns::RecordType::srv;
}

// A configuration that cannot work as DNS is now; whoever changes one of them makes it work.
[[noreturn]] void refuse(const std::string& domain, std::string_view why) {
  throw IoError(IoFault::resolve, fmt::format("{} {}; mail waits", domain, why));
}

}  // namespace

Task<std::vector<ServerName>> ServerFinder::find(ServerQuery query, Deadline deadline, std::stop_token stop) {
  dns::Told told = co_await records(query, deadline, stop);
  if (query.kind == ServerQuery::Kind::mx) {
    if (!told.exists) refuse(query.name, "does not resolve: no such domain");
    if (dns::is_null_mx(told.records)) refuse(query.name, "takes no mail, by its null MX (RFC 7505)");
    // RFC 5321 5.1: without MX records it is its own host.
    if (told.records.empty()) co_return std::vector<ServerName>{{query.name, 0}};
  }
  std::vector<ServerName> servers = in_order(query, std::move(told));
  if (servers.empty() && query.kind == ServerQuery::Kind::mx)
    refuse(query.name, "has no MX host that mail can go to: they are this host, or what they name is none");
  co_return servers;
}

void ServerFinder::leave(const ServerQuery& query, const std::string& host) {
  left_.leave(query.name, host, loop_.now());
}

Task<dns::Told> ServerFinder::records(const ServerQuery& query, Deadline deadline, std::stop_token stop) {
  const dns::RecordCache::Key key{type_of(query), ascii::lower(query.name)};
  if (const dns::Told* known = cache_.fresh(key, loop_.now())) co_return *known;
  try {
    dns::Told told = co_await dns_.query(key.second, key.first, deadline, stop);
    cache_.keep(key, told, loop_.now());
    co_return told;
  } catch (const IoError& error) {
    const dns::Told* known = error.fault() == IoFault::resolve ? cache_.stale(key, loop_.now()) : nullptr;
    if (!known) throw IoError(error.fault(), fmt::format("{}; mail waits", error.what()));
    co_return *known;
  }
}

// Those that could not be used lately come last.
std::vector<ServerName> ServerFinder::in_order(const ServerQuery& query, dns::Told told) {
  const dns::Chance chance = [this](std::uint32_t below) {
    return std::uniform_int_distribution<std::uint32_t>(0, below - 1)(random_);
  };
  std::vector<ServerName> servers;
  if (query.kind == ServerQuery::Kind::mx)
    for (std::string& host : dns::mail_exchangers(std::move(told.records), query.own, chance))
      servers.push_back({std::move(host), 0});
  else
    for (dns::ResourceRecord& record : dns::servers(std::move(told.records), chance))
      servers.push_back({std::move(record.data), record.port});
  std::vector<std::string> hosts;
  for (const ServerName& server : servers) hosts.push_back(server.host);
  hosts = left_.in_order(query.name, std::move(hosts), loop_.now());
  std::ranges::stable_sort(servers, {}, [&hosts](const ServerName& server) {
    return std::ranges::find(hosts, server.host) - hosts.begin();
  });
  return servers;
}

}  // namespace relayd::net
