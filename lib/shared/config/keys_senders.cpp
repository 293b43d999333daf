// The keys of the rules of `senders` and `recipients`.
#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/config/check.hpp"
#include "shared/config/clients.hpp"
#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

namespace {

// Its keys are those that an upstream has.
template <class T>
Key<T> oauth2_key() {
  return {"oauth2", [](Reader& reader, const Node& node, T& out) { read(reader, node, out.oauth2); }};
}

constexpr std::uint32_t most_weight = 1'000'000;

void read_weight(Reader& reader, const Node& node, RuleUpstream& upstream) {
  const std::optional<std::string> text = reader.text(node, "a number");
  if (!text) return;
  const auto number = parse_number(*text);
  if (number && *number <= most_weight)
    upstream.weight = static_cast<std::uint32_t>(*number);
  else
    reader.error(node.place, fmt::format("a weight is a whole number from 0 to {}", most_weight));
}

// Names and values of fields.
void read_header(Reader& reader, const Node& node, SenderRule& rule) {
  if (!expect_map(reader, node)) return;
  for (const Entry& entry : node.entries) {
    HeaderField& field = rule.conditions.headers.emplace_back();
    field.name = entry.key;
    read(reader, entry.value, field.value);
    const bool is_name = !entry.key.empty() && std::ranges::all_of(entry.key, [](char c) {
      return c > ' ' && c <= '~' && c != ':';
    });
    if (!is_name) reader.error(entry.place, fmt::format("'{}' is not the name of a header field", entry.key));
    if (field.value != ascii::trimmed(field.value, ascii::line_space))
      reader.error(entry.value.place, "a field's value has no blanks at its ends");
    for (const Entry& other : node.entries)
      if (&other < &entry && ascii::equal_ignoring_case(other.key, entry.key))
        reader.error(entry.place, fmt::format("'{}' has two values here", entry.key));
  }
}

void read_client(Reader& reader, const Node& node, SenderRule& rule) {
  read_clients(reader, node, rule.conditions.clients, rule.conditions.uids);
}

void read_account(Reader& reader, const Node& node, SenderRule& rule) {
  read(reader, node, rule.conditions.account);
}

void read_listener(Reader& reader, const Node& node, SenderRule& rule) {
  read(reader, node, rule.conditions.listener);
}

}  // namespace

const Keys<RuleUpstream>& keys_of(const RuleUpstream*) {
  static const Keys<RuleUpstream> keys = {
      key("name", &RuleUpstream::name),
      key("username", &RuleUpstream::username),
      key("password", &RuleUpstream::password),
      key("next_password", &RuleUpstream::next_password),
      oauth2_key<RuleUpstream>(),
      {"weight", read_weight},
  };
  return keys;
}

// A name, an upstream with an account of its own, or a list of both.
static void read_rule_upstreams(Reader& reader, const Node& node, SenderRule& rule) {
  const auto add = [&](const Node& item) {
    RuleUpstream& upstream = rule.upstreams.emplace_back();
    if (item.kind == Node::Kind::map) return read(reader, item, upstream);
    upstream.where = item.place.where;
    read(reader, item, upstream.name);
  };
  rule.upstreams.clear();
  if (holds_shares(node)) {
    for (const Entry& entry : node.entries) {
      RuleUpstream& upstream = rule.upstreams.emplace_back();
      upstream.name = entry.key;
      upstream.where = entry.place.where;
      read_weight(reader, entry.value, upstream);
    }
    return;
  }
  if (node.kind == Node::Kind::scalar || node.kind == Node::Kind::map) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

const Keys<SenderRule>& keys_of(const SenderRule*) {
  static const Keys<SenderRule> keys = {
      key("match", &SenderRule::match),
      {"account", read_account},
      {"client", read_client},
      {"listener", read_listener},
      {"header", read_header},
      {"upstream", read_rule_upstreams, rows(keys_of(static_cast<const RuleUpstream*>(nullptr)), "*.")},
      key("username", &SenderRule::username),
      key("password", &SenderRule::password),
      key("next_password", &SenderRule::next_password),
      oauth2_key<SenderRule>(),
      text("reject", &SenderRule::reject, parse_reject),
      change<SenderRule>("rewrite", &Changes::rewrite),
      headers_key<SenderRule>(),
  };
  return keys;
}

}  // namespace relayd::config
