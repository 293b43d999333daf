#include "explain_servers.hpp"

#include <fmt/format.h>

#include <set>

#include "route/explain.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/stream.hpp"
#include "shared/dns/mail_hosts.hpp"
#include "shared/net/server_finder.hpp"

namespace relayd::command {

namespace {

using async::ServerQuery;
using net::AsioLoop;
using net::ServerFinder;

constexpr auto patience = std::chrono::seconds(5);

std::vector<ServerQuery> queries_of(const route::Upstream& upstream, const std::string& hostname) {
  if (upstream.mx) return {{ServerQuery::Kind::mx, upstream.host, hostname}};
  std::vector<ServerQuery> queries;
  for (const smtp::TlsMode mode : upstream.services)
    queries.push_back(
        {ServerQuery::Kind::srv, dns::submission_service(mode == smtp::TlsMode::implicit, upstream.host)});
  return queries;
}

async::Task<void> ask(ServerFinder& finder, const ServerQuery& query, Deadline deadline, std::string& found) {
  try {
    const std::vector<async::ServerName> servers = co_await finder.find(query, deadline, {});
    for (const async::ServerName& server : servers) {
      found += fmt::format("{}{}", found.empty() ? "" : ", ", server.host);
      if (server.port != 0) found += fmt::format(" port {}", server.port);
    }
  } catch (const async::IoError& error) {
    found += fmt::format("{}{}", found.empty() ? "" : "; ", error.what());
  }
}

async::Task<void> ask_all(AsioLoop& loop, ServerFinder& finder, const std::vector<ServerQuery>& queries,
                          std::string& found) {
  const Deadline deadline = loop.now() + patience;
  for (const ServerQuery& query : queries) co_await ask(finder, query, deadline, found);
  loop.stop();
}

}  // namespace

std::string explain_servers(std::span<const route::Choice> choices, const std::string& hostname) {
  std::string text;
  std::set<const route::Upstream*> seen;
  for (const route::Choice& choice : choices) {
    if (!choice.upstream->by_dns() || !seen.insert(choice.upstream).second) continue;
    AsioLoop loop;
    net::DnsClient client(loop);
    ServerFinder finder(loop, client);
    const std::vector<ServerQuery> queries = queries_of(*choice.upstream, hostname);
    std::string found;
    async::Scope scope;
    loop.post([&] { scope.spawn(ask_all(loop, finder, queries, found)); });
    loop.run();
    route::line(text, "dns", fmt::format("{}: {}", choice.upstream->name, found.empty() ? "none" : found));
  }
  return text;
}

}  // namespace relayd::command
