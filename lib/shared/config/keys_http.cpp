// The keys of the operator's window over HTTP.
#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/config/check.hpp"
#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

namespace {

void read_address(Reader& reader, const Node& node, Http& out) {
  const std::optional<std::string> text = reader.text(node, "an address");
  if (!text) return;
  Result<Endpoint> endpoint = parse_endpoint(*text);
  if (!endpoint) return reader.error(node.place, endpoint.error());
  out.address = *text;
  out.host = std::move(endpoint->host);
  out.port = endpoint->port;
  out.unix_path = std::move(endpoint->unix_path);
  out.inherited = std::move(endpoint->inherited);
  out.where = node.place.where;
}

// Names alone: every IP address is let in, and ports do not count.
void read_hosts(Reader& reader, const Node& node, Http& out) {
  read(reader, node, out.hosts);
  for (std::string& host : out.hosts) {
    const Result<std::string> name = parse_host(host);
    if (!name) reader.error(node.place, fmt::format("'{}' is no name of a host: {}", host, name.error()));
    host = ascii::lower(host);
  }
}

}  // namespace

const Keys<Http>& keys_of(const Http*) {
  static const Keys<Http> keys = {
      {"address", read_address},
      key("token", &Http::token),
      {"hosts", read_hosts},
  };
  return keys;
}

void check_http(Reader& reader, const Node& root, const Config& config) {
  const Node* const node = root.find("http");
  if (!node || !config.http) return;
  const Http& http = *config.http;
  if (!node->has("address")) return reader.error(node->place, "'address' is missing here");
  const bool is_local = !http.unix_path.empty() || is_loopback_host(http.host);
  if (!http.address.empty() && !is_local && !http.token.given())
    reader.error(
        node->place_of("address"),
        fmt::format("other machines can reach {}: set 'token', which they then need to see or change "
                    "anything, or listen on 127.0.0.1",
                    http.address));
}

}  // namespace relayd::config
