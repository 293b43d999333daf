// What must hold in rules of `rewrite`.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "shared/config/check.hpp"

namespace relayd::config {
namespace {

void check_what(Reader& reader, const Node& node, const Config& config) {
  const Node* const table = node.find("table");
  if (table && node.has("match"))
    return reader.error(node.place_of("table"), "a rule has one of match and table, not both");
  if (!table && !node.has("match")) return reader.error(node.place, "a rule needs one of match and table");
  if (!table && !node.has("to")) return reader.error(node.place, "'to' is missing here");
  if (!table) return;
  if (node.has("to"))
    reader.error(node.place_of("to"), "what an address becomes is the table's value: 'to' is for 'match'");
  check_table_name(reader, *table, config);
}

void check_rule(Reader& reader, const Node& node, const RewriteRule& rule, bool before_routing) {
  if (rule.taken && !before_routing)
    reader.error(node.place_of("when"),
                 "what is taken has no upstream and no rule of senders yet: 'when: taken' is for the list at "
                 "the top");
  const Node* const in = node.find("in");
  const bool names_nothing = in && in->kind != Node::Kind::scalar && in->items.empty();
  if (names_nothing) reader.error(node.place_of("in"), "nothing is named: leave 'in' out or say what");
  if (rule.keep_reply_to && !rule.from_fields && !names_nothing)
    reader.error(node.place_of("keep"), "only who changes From can keep it: 'in' needs 'from' or 'header'");
  const bool whole_address = !rule.to.empty() && rule.to.front() != '@';
  if (rule.match == "*" && whole_address && !in && !rule.keep_reply_to)
    reader.error(node.place, "all recipients would become one as well: say with 'in' what is meant");
}

// Complains where a rule says what another one of its scope says already.
class Said {
 public:
  void add(Reader& reader, const Node& node, const RewriteRule& rule) {
    const bool is_table = rule.match.empty();
    const std::string& name = is_table ? rule.table : rule.match;
    if (name.empty()) return;
    const bool classes[] = {rule.sender, rule.recipient, rule.from_fields, rule.to_fields};
    bool told = false;
    for (std::size_t i = 0; i < std::size(classes); ++i) {
      if (!classes[i]) continue;
      const auto [first, fresh] =
          lines_.emplace(fmt::format("{}{}{} {}", is_table, rule.taken, i, name), node.place.where.line);
      if (!fresh && !told)
        reader.error(node.place,
                     fmt::format("a rule for '{}' is there already (line {}), with 'in' and 'when' "
                                 "that overlap",
                                 name, first->second));
      told |= !fresh;
    }
  }

 private:
  std::map<std::string, int> lines_;
};

void check_scope(Reader& reader, const Node& section, const std::vector<RewriteRule>& rules,
                 const Config& config, bool before_routing) {
  const Node* const list = section.find("rewrite");
  if (!list) return;
  Said said;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const Node& node = list->items[i];
    if (node.kind != Node::Kind::map) continue;
    check_what(reader, node, config);
    check_rule(reader, node, rules[i], before_routing);
    said.add(reader, node, rules[i]);
  }
}

}  // namespace

void check_rewrite(Reader& reader, const Node& root, const Config& config) {
  check_scope(reader, root, config.changes.rewrite, config, true);
  if (const Node* const upstreams = root.find("upstreams"))
    for (std::size_t i = 0; i < config.upstreams.size(); ++i)
      check_scope(reader, upstreams->entries[i].value, config.upstreams[i].changes.rewrite, config, false);
  const auto check_rules = [&](std::string_view list, const std::vector<SenderRule>& rules) {
    const Node* const node = root.find(list);
    for (std::size_t i = 0; node && i < node->items.size(); ++i)
      check_scope(reader, node->items[i], rules[i].changes.rewrite, config, false);
  };
  check_rules("recipients", config.recipients);
  check_rules("senders", config.senders);
}

}  // namespace relayd::config
