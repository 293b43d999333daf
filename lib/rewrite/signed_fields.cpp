#include "rewrite/signed_fields.hpp"

#include <algorithm>
#include <functional>
#include <unordered_map>

#include "shared/base/ascii.hpp"
#include "shared/mail/field.hpp"

namespace relayd::rewrite {

namespace {

// The value of the tag h= in a list of tags (RFC 6376 3.2); empty when there is none.
std::string_view signed_names(std::string_view tags) {
  while (!tags.empty()) {
    const std::size_t end = std::min(tags.find(';'), tags.size());
    const std::string_view tag = tags.substr(0, end);
    tags.remove_prefix(std::min(end + 1, tags.size()));
    const std::size_t equals = tag.find('=');
    if (equals == std::string_view::npos) continue;
    if (ascii::trimmed(tag.substr(0, equals), ascii::white_space) == "h") return tag.substr(equals + 1);
  }
  return {};
}

// What a header has of each name, in order, as a number.
using Contents = std::unordered_map<std::string, std::size_t>;

Contents contents_of(std::string_view header) {
  Contents contents;
  mail::for_each_field(header, [&contents](const mail::Field& field) {
    std::size_t& sum = contents[ascii::lower(field.name)];
    sum = sum * 31 + std::hash<std::string_view>()(field.whole);
  });
  return contents;
}

std::size_t content(const Contents& contents, const std::string& name) {
  const auto found = contents.find(name);
  return found == contents.end() ? 0 : found->second;
}

}  // namespace

std::string changed_signed_field(std::string_view before, std::string_view after) {
  Contents old_contents;
  Contents new_contents;
  std::string_view rest = before;
  for (mail::Field field; mail::next_field(rest, field);) {
    if (!field.is("DKIM-Signature")) continue;
    if (old_contents.empty()) {
      old_contents = contents_of(before);
      new_contents = contents_of(after);
    }
    for (std::string_view names = signed_names(field.body); !names.empty();) {
      const std::size_t end = std::min(names.find(':'), names.size());
      const std::string lower = ascii::lower(ascii::trimmed(names.substr(0, end), ascii::white_space));
      names.remove_prefix(std::min(end + 1, names.size()));
      if (content(old_contents, lower) != content(new_contents, lower)) return lower;
    }
  }
  return {};
}

}  // namespace relayd::rewrite
