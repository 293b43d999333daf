// The keys of sender rules.
#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

const Keys<RuleUpstream>& keys_of(const RuleUpstream*) {
  static const Keys<RuleUpstream> keys = {
      key("name", &RuleUpstream::name),
      key("username", &RuleUpstream::username),
      key("password", &RuleUpstream::password),
      key("next_password", &RuleUpstream::next_password),
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
  if (node.kind == Node::Kind::scalar || node.kind == Node::Kind::map) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

const Keys<SenderRule>& keys_of(const SenderRule*) {
  static const Keys<SenderRule> keys = {
      key("match", &SenderRule::match),
      {"upstream", read_rule_upstreams, rows(keys_of(static_cast<const RuleUpstream*>(nullptr)), "*.")},
      key("username", &SenderRule::username),
      key("password", &SenderRule::password),
      key("next_password", &SenderRule::next_password),
      text("reject", &SenderRule::reject, parse_reject),
      change<SenderRule>("rewrite", &Changes::rewrite),
      headers_key<SenderRule>(),
  };
  return keys;
}

}  // namespace relayd::config
