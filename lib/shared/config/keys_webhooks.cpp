// The keys of receivers of webhooks.
#include "shared/config/keys.hpp"
#include "shared/http/url.hpp"

namespace relayd::config {

namespace {

Result<std::string> parse_receiver(std::string_view text) {
  const Result<http::Url> url = http::parse_url(text);
  if (!url) return Error{url.error()};
  return std::string(text);
}

Result<std::string> parse_proxy(std::string_view text) {
  const Result<http::Url> url = http::parse_url(text);
  if (!url) return Error{url.error()};
  if (url->tls || url->target != "/") return Error{"a proxy is written as http://HOST:PORT"};
  return std::string(text);
}

void read_events(Reader& reader, const Node& node, Webhook& out) {
  const std::size_t before = reader.errors.size();
  read(reader, node, out.events);
  if (out.events.empty() && reader.errors.size() == before)
    reader.error(node.place, "the receiver would be told nothing: name events, or leave 'events' out");
}

// A secret, or a list of the two while one is being changed.
void read_secrets(Reader& reader, const Node& node, Webhook& out) {
  out.secrets.clear();
  if (node.kind != Node::Kind::list) return read(reader, node, out.secrets.emplace_back());
  if (node.items.empty() || node.items.size() > 2)
    reader.error(node.place, "a receiver has one secret, or two while one is being changed");
  for (const Node& item : node.items) read(reader, item, out.secrets.emplace_back());
}

void read_size(Reader& reader, const Node& node, Webhook& out) {
  read(reader, node, out.size);
  if (out.size < 1_MiB) reader.error(node.place, "what waits for a receiver has 1MiB at least");
}

}  // namespace

const Keys<Webhook>& keys_of(const Webhook*) {
  static const Keys<Webhook> keys = {
      text("url", &Webhook::url, parse_receiver),
      {"events", read_events},
      {"secret", read_secrets, rows(keys_of(static_cast<const SecretSource*>(nullptr)), "")},
      file("ca_file", &Webhook::ca_file),
      text("proxy", &Webhook::proxy, parse_proxy),
      key("private", &Webhook::private_network),
      key("insecure", &Webhook::insecure),
      {"size", read_size},
  };
  return keys;
}

void read(Reader& reader, const Node& node, Webhook& out) {
  using enum WebhookEvent;
  out.where = node.place.where;
  out.events = {delivered, failed, expired, suppressed, account_failing, account_ok};
  read_keys(reader, node, keys_of(&out), out);
}

}  // namespace relayd::config
