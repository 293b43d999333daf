#include "shared/dns/tag_list.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"

namespace relayd::dns {

namespace {

bool is_name(std::string_view name) {
  return !name.empty() && ascii::is_letter(name.front()) && std::ranges::all_of(name, [](char c) {
    return ascii::is_letter(c) || ascii::is_digit(c) || c == '_';
  });
}

}  // namespace

Result<Tags> parse_tags(std::string_view text) {
  Tags tags;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view tag = ascii::trimmed(text.substr(0, end), ascii::white_space);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (tag.empty() && ascii::trimmed(text, ascii::white_space).empty()) break;
    const std::size_t equals = std::min(tag.find('='), tag.size());
    const std::string_view name = ascii::trimmed(tag.substr(0, equals), ascii::white_space);
    if (equals == tag.size() || !is_name(name))
      return Error{fmt::format("'{}' is no tag like 'name=value' with ';' behind it", tag)};
    if (find(tags, name)) return Error{fmt::format("the tag '{}' is there twice", name)};
    tags.push_back({name, ascii::trimmed(tag.substr(equals + 1), ascii::white_space)});
  }
  return tags;
}

std::optional<std::string_view> find(const Tags& tags, std::string_view name) {
  const auto found = std::ranges::find(tags, name, &Tag::name);
  return found == tags.end() ? std::nullopt : std::optional(found->value);
}

}  // namespace relayd::dns
