// The keys of what clients meet: listen, tls, accounts, access and limits.
#include <fmt/format.h>

#include <array>

#include "shared/config/clients.hpp"
#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

namespace {

void read_endpoint(Reader& reader, const Node& node, Listener& listener) {
  const std::optional<std::string> text = reader.text(node, "an address");
  if (!text) return;
  Result<Endpoint> endpoint = parse_endpoint(*text);
  if (!endpoint) {
    reader.error(node.place, endpoint.error());
    return;
  }
  listener.address = *text;
  listener.host = std::move(endpoint->host);
  listener.port = endpoint->port;
  listener.unix_path = std::move(endpoint->unix_path);
  listener.inherited = std::move(endpoint->inherited);
}

void read_allow(Reader& reader, const Node& node, Listener& listener) {
  read_clients(reader, node, listener.allow, listener.allow_uids);
}

void read_pattern_list(Reader& reader, const Node& node, Account& account) {
  read(reader, node, account.may_send_as);
  const auto check = [&reader](const Node& item) {
    const Result<std::string> pattern = parse_pattern(item.text);
    if (item.kind == Node::Kind::scalar && !pattern) reader.error(item.place, pattern.error());
  };
  check(node);
  for (const Node& item : node.items) check(item);
}

}  // namespace

static constexpr auto words_of(ListenerAuth) {
  return std::to_array<Word<ListenerAuth>>({{"none", ListenerAuth::none},
                                            {"optional", ListenerAuth::optional},
                                            {"required", ListenerAuth::required},
                                            {"accept-any", ListenerAuth::accept_any}});
}

static constexpr auto words_of(Limits::BareNewlines) {
  using enum Limits::BareNewlines;
  return std::to_array<Word<Limits::BareNewlines>>({{"normalise", normalise}, {"reject", reject}});
}

const Keys<Listener>& keys_of(const Listener*) {
  static const Keys<Listener> keys = {
      {"address", read_endpoint},           key("tls", &Listener::tls),
      key("auth", &Listener::auth),         {"allow", read_allow},
      reserved<Listener>("proxy_protocol"), key("provider_headers", &Listener::provider_headers),
      key("name", &Listener::name),
  };
  return keys;
}

const Keys<Certificate>& keys_of(const Certificate*) {
  static const Keys<Certificate> keys = {
      file("certificate", &Certificate::certificate),
      private_key("key", &Certificate::key),
  };
  return keys;
}

const Keys<Account>& keys_of(const Account*) {
  static const Keys<Account> keys = {
      key("name", &Account::name),        key("password", &Account::password),
      reserved<Account>("next_password"), key("scram_sha_256", &Account::scram_sha_256),
      {"may_send_as", read_pattern_list}, key("may_send_as_header", &Account::may_send_as_header),
  };
  return keys;
}

// A map from patterns to verdicts. No pattern is called `table`: that names one table or a list of them.
static void read(Reader& reader, const Node& node, std::vector<AccessRule>& out) {
  if (!expect_map(reader, node)) return;
  for (const Entry& entry : node.entries) {
    if (entry.key == "table") {
      std::vector<std::string> names;
      read(reader, entry.value, names);
      for (std::string& name : names) out.emplace_back().table = std::move(name);
      continue;
    }
    AccessRule& rule = out.emplace_back();
    Result<std::string> pattern = parse_pattern(entry.key);
    if (pattern)
      rule.match = std::move(*pattern);
    else
      reader.error(entry.place, pattern.error());
    read(reader, entry.value, rule.verdict);
  }
}

const Keys<Access>& keys_of(const Access*) {
  static const Keys<Access> keys = {
      key("senders", &Access::senders),
      key("recipients", &Access::recipients),
  };
  return keys;
}

// A map from names to one target or a list of them.
void read(Reader& reader, const Node& node, std::vector<Alias>& out) {
  if (!expect_map(reader, node)) return;
  for (const Entry& entry : node.entries) {
    Alias& alias = out.emplace_back();  // clang 14 has no other way to begin an aggregate
    alias.name = entry.key;
    alias.where = entry.place.where;
    reader.enter(entry.key);
    read(reader, entry.value, alias.targets);
    reader.leave();
  }
}

const Keys<Limits>& keys_of(const Limits*) {
  static const Keys<Limits> keys = {
      key("message_size", &Limits::message_size),
      key("header_size", &Limits::header_size),
      key("header_fields", &Limits::header_fields),
      key("recipients", &Limits::recipients),
      key("connections", &Limits::connections),
      key("connections_per_client", &Limits::connections_per_client),
      key("command_timeout", &Limits::command_timeout),
      key("data_timeout", &Limits::data_timeout),
      key("bare_newlines", &Limits::bare_newlines),
  };
  return keys;
}

}  // namespace relayd::config
