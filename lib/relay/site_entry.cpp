#include "relay/site_entry.hpp"

#include <fmt/format.h>

namespace relayd {

namespace {

// An offer that has not changed is news again after so long.
constexpr Duration renewed_after = std::chrono::minutes(10);

std::string where_is(const route::Upstream& upstream) {
  std::string where = upstream.host;
  if (upstream.mx) where += " mx";
  if (!upstream.services.empty()) where += " srv";
  for (const route::Endpoint& endpoint : upstream.endpoints)
    where += fmt::format(" {} {}", endpoint.port, smtp::to_string(endpoint.tls));
  return where;
}

}  // namespace

void SiteEntry::use(const route::Upstream& configured) {
  upstream = configured.name;
  limit = configured.limits.connections_total;
  if (const std::string now_at = where_is(configured); where != now_at) {
    where = now_at;
    endpoint = 0;
    offered.reset();
    ahead = {};
    learnt = {};
    opening = send::Opening();
    use_at_most(no_ceiling);
  }
  ports.clear();
  for (const route::Endpoint& each : configured.endpoints) ports.push_back(each.port);
}

bool SiteEntry::learn(const smtp::FoundCap& found, SteadyTime now) {
  const bool is_news = learnt.learn(found, now);
  changed |= is_news;
  return is_news;
}

void SiteEntry::forget(smtp::Cap cap) {
  learnt.forget(cap);
  changed = true;
}

bool SiteEntry::use_fewer_connections() {
  const bool fewer = Site::use_fewer_connections();
  changed |= fewer;
  return fewer;
}

std::size_t SiteEntry::take_endpoint(SteadyTime now) {
  if (endpoint == 0 || now - left_at < port_holds) return endpoint;
  left_at = now;
  changed = true;
  return 0;
}

bool SiteEntry::leave_endpoint(SteadyTime now) {
  left_at = now;
  changed = true;
  if (++endpoint < ports.size()) return true;
  endpoint = 0;
  return false;
}

void SiteEntry::greeted(std::size_t at, const smtp::Capabilities& offer, SteadyTime now) {
  const bool is_news = at < endpoint || offered != offer || now - offered_at >= renewed_after;
  if (!is_news) return;
  changed = true;
  endpoint = std::min(endpoint, at);
  offered = offer;
  offered_at = now;
}

}  // namespace relayd
