// How an upstream is reached: servers that DNS names, LMTP, unix sockets, Maildirs.
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

#include "shared/config/check.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

namespace {

void refuse(Reader& reader, const Node& node, std::initializer_list<std::string_view> keys,
            std::string_view why) {
  for (const std::string_view key : keys)
    if (node.has(key)) reader.error(node.place_of(key), fmt::format("{}: it has no '{}'", why, key));
}

// RFC 2033 5: port 25 is SMTP's, and LMTP has none of its own.
void check_lmtp(Reader& reader, const Node& node, const Upstream& upstream) {
  if (node.has("provider"))
    reader.error(node.place_of("provider"), "a provider speaks SMTP: 'protocol: lmtp' goes with a host");
  refuse(reader, node, {"mx", "srv"}, "DNS names servers of SMTP, not of LMTP");
  const Node* const host = node.find("host");
  const bool is_socket = host && host->text.starts_with("unix:");
  if (!node.has("port") && !is_socket)
    reader.error(node.place_of("protocol"), "LMTP has no usual port: write 'port' (often it is 24)");
  if (std::ranges::find(upstream.ports, 25) != upstream.ports.end())
    reader.error(node.place_of("port"), "port 25 is for SMTP: LMTP is never spoken there (RFC 2033 5)");
  if (upstream.pipelining == Pipelining::ahead)
    reader.error(node.place_of("pipelining"),
                 "in LMTP the replies behind a final dot are the recipients': write 'transaction' or 'off'");
}

void check_socket(Reader& reader, const Node& node, const Upstream& upstream) {
  if (upstream.protocol != Protocol::lmtp)
    reader.error(node.place_of("host"), "a unix socket is for LMTP: write 'protocol: lmtp'");
  refuse(reader, node,
         {"port", "mx", "srv", "tls", "tls_options", "auth", "username", "password", "next_password",
          "oauth2", "proxy"},
         "a unix socket is on this machine");
}

// `host` is a domain then, whose servers DNS names.
void check_lookup(Reader& reader, const Node& node, const Upstream& upstream) {
  if (upstream.mx && upstream.srv)
    reader.error(node.place_of("srv"), "'mx' and 'srv' ask DNS for different hosts: one of them is enough");
  for (const std::string_view key : {"mx", "srv"}) {
    if (!(key == "mx" ? upstream.mx : upstream.srv)) continue;
    if (!node.has("host"))
      reader.error(node.place_of(key), fmt::format("'{}' needs the domain to ask DNS for, as 'host'", key));
    else if (upstream.host && (Network::parse(*upstream.host) || is_loopback_host(*upstream.host)))
      reader.error(node.place_of("host"), fmt::format("'{}' needs a domain as 'host', not an address", key));
  }
  if (!upstream.srv) return;
  if (node.has("port")) reader.error(node.place_of("port"), "with 'srv', DNS names the ports, too");
  if (upstream.tls == TlsMode::none)
    reader.error(node.place_of("tls"), "'srv' knows submission with TLS alone: starttls or implicit");
}

void check_maildir(Reader& reader, const Node& node) {
  refuse(reader, node,
         {"provider", "region", "host", "port", "mx", "srv", "protocol", "tls", "tls_options", "auth",
          "username", "password", "next_password", "oauth2", "pipelining", "proxy"},
         "a Maildir is a directory on this machine");
  const Node& maildir = *node.find("maildir");
  const bool is_section = maildir.kind == Node::Kind::map || maildir.kind == Node::Kind::null;
  if (is_section && !maildir.has("directory")) reader.error(maildir.place, "'directory' is missing here");
  if (const Node* const limits = node.find("limits"))
    for (const std::string_view key : {"connections", "recipients_per_message"})
      if (limits->has(key))
        reader.error(limits->place_of(key),
                     fmt::format("a Maildir takes one message at a time: it has no '{}'", key));
}

}  // namespace

void check_reach(Reader& reader, const Node& node, const Upstream& upstream) {
  if (node.has("maildir")) return check_maildir(reader, node);
  if (upstream.protocol == Protocol::lmtp) check_lmtp(reader, node, upstream);
  if (!upstream.unix_path.empty()) return check_socket(reader, node, upstream);
  check_lookup(reader, node, upstream);
}

}  // namespace relayd::config
