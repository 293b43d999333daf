#include "shared/config/yaml_text.hpp"

#include <fmt/format.h>

#include <iterator>

namespace relayd::config {

namespace {

void append(std::string& text, const Node& node, std::size_t depth);

void append_map(std::string& text, const Node& map, std::size_t depth, bool after_dash) {
  bool first = after_dash;
  for (const Entry& entry : map.entries) {
    if (!first) text.append(2 * depth, ' ');
    first = false;
    text += entry.key + ":";
    append(text, entry.value, depth + 1);
  }
}

// What stands behind "KEY:", up to the end of its last line.
void append(std::string& text, const Node& node, std::size_t depth) {
  switch (node.kind) {
    case Node::Kind::map:
      text += '\n';
      return append_map(text, node, depth, false);
    case Node::Kind::list:
      text += '\n';
      for (const Node& item : node.items) {
        text.append(2 * depth, ' ');
        text += '-';
        if (item.kind == Node::Kind::map) {
          text += ' ';
          append_map(text, item, depth + 1, true);
        } else {
          append(text, item, depth + 1);
        }
      }
      return;
    default:
      text += fmt::format(" {}\n", yaml_quoted(node.text));
  }
}

}  // namespace

std::string yaml_quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet < 0x20 || octet == 0x7f)
      fmt::format_to(std::back_inserter(quoted), "\\x{:02x}", octet);
    else if (c == '"' || c == '\\')
      quoted.append({'\\', c});
    else if (c == '$')
      quoted += "$$";
    else
      quoted += c;
  }
  return quoted + '"';
}

std::string yaml_text(const Node& map) {
  std::string text;
  append_map(text, map, 0, false);
  return text;
}

}  // namespace relayd::config
