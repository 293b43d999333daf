// The keys of copies and of staging.
#include "shared/config/keys.hpp"
#include "shared/config/value.hpp"

namespace relayd::config {

namespace {

template <Result<std::string> (*parse)(std::string_view)>
void read_texts(Reader& reader, const Node& node, std::vector<std::string>& out, std::string_view expected) {
  const auto add = [&](const Node& item) {
    const std::optional<std::string> text = reader.text(item, expected);
    if (!text) return;
    Result<std::string> value = parse(*text);
    if (value)
      out.push_back(std::move(*value));
    else
      reader.error(item.place, value.error());
  };
  if (node.kind == Node::Kind::scalar) return add(node);
  if (!expect_list(reader, node)) return;
  for (const Node& item : node.items) add(item);
}

void read_match(Reader& reader, const Node& node, Bcc& out, bool of_recipient) {
  if (!out.match.empty())
    reader.error(node.place, "a copy goes by one of match (the sender) and recipient, not by both");
  const std::optional<std::string> text = reader.text(node, "a pattern");
  if (!text) return;
  Result<std::string> pattern = parse_pattern(*text);
  if (!pattern) return reader.error(node.place, pattern.error());
  out.match = std::move(*pattern);
  out.of_recipient = of_recipient;
}

void read_of(Reader& reader, const Node& node, Bcc& out) {
  static constexpr Word<bool> words[] = {{"sender", false}, {"recipient", true}};
  read_word(reader, node, words, out.of_recipient);
}

}  // namespace

void read(Reader& reader, const Node& node, Bcc& out) {
  out.where = node.place.where;
  read_keys(reader, node, keys_of(&out), out);
}

const Keys<Bcc>& keys_of(const Bcc*) {
  static const Keys<Bcc> keys = {
      {"match", [](Reader& reader, const Node& node, Bcc& out) { read_match(reader, node, out, false); }},
      {"recipient", [](Reader& reader, const Node& node, Bcc& out) { read_match(reader, node, out, true); }},
      key("table", &Bcc::table),
      {"of", read_of},
      {"to", [](Reader& reader, const Node& node,
                Bcc& out) { read_texts<parse_mailbox>(reader, node, out.to, "an address"); }},
  };
  return keys;
}

const Keys<Staging>& keys_of(const Staging*) {
  static const Keys<Staging> keys = {
      text("redirect", &Staging::redirect, parse_ascii_mailbox),
      {"allow", [](Reader& reader, const Node& node,
                   Staging& out) { read_texts<parse_pattern>(reader, node, out.allow, "a pattern"); }},
      key("subject_prefix", &Staging::subject_prefix),
  };
  return keys;
}

}  // namespace relayd::config
