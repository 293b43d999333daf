// What must hold in `webhooks`.
#include <fmt/format.h>

#include <map>

#include "shared/base/ip_kind.hpp"
#include "shared/config/check.hpp"
#include "shared/http/url.hpp"

namespace relayd::config {
namespace {

void check_host(Reader& reader, const Place& place, const http::Url& url) {
  if (ip_kind(url.host) != IpKind::never) return;
  reader.error(place,
               fmt::format("nothing is sent to {}: it is no server's address, but link-local, that of a "
                           "cloud's metadata, or nobody's",
                           url.host));
}

// Of a receiver whose URL could be read.
void check_url(Reader& reader, const Node& node, const Webhook& webhook, const http::Url& url) {
  const Place& place = node.place_of("url");
  check_host(reader, place, url);
  if (!is_secure(url) && !webhook.insecure)
    reader.error(place,
                 "http:// is for loopback, as others on the way could read it: write https://, or set "
                 "'insecure: true'");
  if (!url.tls && node.has("ca_file"))
    reader.error(node.place_of("ca_file"), "http:// shows no certificate that a CA could have signed");
}

}  // namespace

void check_webhooks(Reader& reader, const Node& root, const Config& config) {
  const Node* const list = root.find("webhooks");
  if (!list) return;
  std::map<std::string, int> lines;  // where each URL stands first
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    const Node& node = list->items[i];
    if (node.kind != Node::Kind::map) continue;
    for (const std::string_view key : {"url", "secret"})
      if (!node.has(key)) reader.error(node.place, fmt::format("'{}' is missing here", key));
    const Webhook& webhook = config.webhooks[i];
    const Result<http::Url> proxy = http::parse_url(webhook.proxy);
    if (proxy) check_host(reader, node.place_of("proxy"), *proxy);
    const Result<http::Url> url = http::parse_url(webhook.url);
    if (!url) continue;
    check_url(reader, node, webhook, *url);
    const Place& place = node.place_of("url");
    const std::string whole = fmt::format("{} {}{}", url->tls, endpoint(*url), url->target);
    const auto [first, fresh] = lines.emplace(whole, place.where.line);
    if (!fresh)
      reader.error(place,
                   fmt::format("another receiver has this URL (in line {}): name all of its 'events' there",
                               first->second));
  }
}

}  // namespace relayd::config
