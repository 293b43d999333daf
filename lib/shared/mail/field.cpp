#include "shared/mail/field.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"

namespace relayd::mail {

namespace {

bool is_field_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

bool begins_with_empty_line(std::string_view block) {
  return block.starts_with("\r\n") || block.starts_with('\n');
}

}  // namespace

bool Field::is(std::string_view other) const {
  return ascii::equal_ignoring_case(name, other);
}

bool field_name_fits(std::string_view name, std::string_view pattern) {
  if (!pattern.ends_with('*')) return ascii::equal_ignoring_case(name, pattern);
  pattern.remove_suffix(1);
  return ascii::equal_ignoring_case(name.substr(0, pattern.size()), pattern);
}

bool field_names_may_meet(std::string_view a, std::string_view b) {
  const bool a_open = a.ends_with('*');
  const bool b_open = b.ends_with('*');
  if (a_open) a.remove_suffix(1);
  if (b_open) b.remove_suffix(1);
  if (a.size() > b.size() && !b_open) return false;
  if (b.size() > a.size() && !a_open) return false;
  const std::size_t common = std::min(a.size(), b.size());
  return ascii::equal_ignoring_case(a.substr(0, common), b.substr(0, common));
}

Field take_field(std::string_view& block) {
  std::size_t end = 0;
  do {
    end = block.find('\n', end);
    end = end == std::string_view::npos ? block.size() : end + 1;
  } while (end < block.size() && (block[end] == ' ' || block[end] == '\t'));
  Field field;
  field.whole = block.substr(0, end);
  block.remove_prefix(end);
  const std::size_t colon = std::min(field.whole.find(':'), field.whole.size());
  field.name = field.whole.substr(0, colon);
  field.name = field.name.substr(0, field.name.find_last_not_of(ascii::blanks) + 1);
  field.body = field.whole.substr(std::min(colon + 1, field.whole.size()));
  return field;
}

bool next_field(std::string_view& block, Field& field) {
  while (!block.empty() && !begins_with_empty_line(block)) {
    field = take_field(block);
    const bool has_colon = field.body.data() > field.whole.data() && field.body.data()[-1] == ':';
    if (has_colon && is_field_name(field.name)) return true;
  }
  return false;
}

}  // namespace relayd::mail
