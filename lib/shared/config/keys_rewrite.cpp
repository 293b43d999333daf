// The keys of rewriting, of which a list may stand at the top, in an upstream and in a rule of `senders`.
#include <fmt/format.h>

#include <algorithm>

#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"
#include "shared/mail/address.hpp"

namespace relayd::config {

namespace {

Result<std::string> parse_becomes(std::string_view text) {
  const bool names_many = text == "*" || text.starts_with("@*.");
  if (names_many || text.size() > mail::longest_address || !parse_pattern(text))
    return Error{fmt::format("'{}' is not an address or @domain", text)};
  return std::string(text);
}

// What a word of `in` names.
struct Extent {
  std::string_view word;
  std::vector<bool RewriteRule::*> fields;
};

void read_in(Reader& reader, const Node& node, RewriteRule& rule) {
  static const std::vector<Extent> extents = {
      {"sender", {&RewriteRule::sender}},
      {"recipient", {&RewriteRule::recipient}},
      {"from", {&RewriteRule::from_fields}},
      {"to", {&RewriteRule::to_fields}},
      {"header", {&RewriteRule::from_fields, &RewriteRule::to_fields}},
  };
  std::vector<std::string_view> known;
  for (const Extent& extent : extents) known.push_back(extent.word);
  const auto add = [&](const Node& item) {
    const std::optional<std::string> word = reader.text(item, "a word");
    if (!word) return;
    const auto extent = std::ranges::find(extents, *word, &Extent::word);
    if (extent == extents.end()) return complain_word(reader, item, known);
    for (bool RewriteRule::*const field : extent->fields) rule.*field = true;
  };
  if (node.kind == Node::Kind::scalar) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

void read_when(Reader& reader, const Node& node, RewriteRule& rule) {
  static constexpr Word<bool> words[] = {{"taken", true}, {"sent", false}};
  read_word(reader, node, words, rule.taken);
}

void read_keep(Reader& reader, const Node& node, RewriteRule& rule) {
  static constexpr Word<bool> words[] = {{"reply-to", true}};
  read_word(reader, node, words, rule.keep_reply_to);
}

}  // namespace

const Keys<RewriteRule>& keys_of(const RewriteRule*) {
  static const Keys<RewriteRule> keys = {
      text("match", &RewriteRule::match, parse_pattern),
      key("table", &RewriteRule::table),
      text("to", &RewriteRule::to, parse_becomes),
      {"in", read_in},
      {"when", read_when},
      {"keep", read_keep},
  };
  return keys;
}

// Without `in`: everywhere, as canonical(5) of Postfix; with `keep`, who a message is from.
void read(Reader& reader, const Node& node, RewriteRule& out) {
  out.where = node.place.where;
  read_keys(reader, node, keys_of(&out), out);
  if (node.has("in")) return;
  out.sender = out.from_fields = true;
  out.recipient = out.to_fields = !out.keep_reply_to;
}

}  // namespace relayd::config
