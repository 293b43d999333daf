#include "rewrite/header_edit.hpp"

#include <algorithm>
#include <utility>

#include "shared/base/ascii.hpp"

namespace relayd::rewrite {

namespace {

constexpr std::size_t usual_growth = 256;

bool is_field_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~'; });
}

bool begins_with_empty_line(std::string_view rest) {
  return rest.starts_with("\r\n") || rest.starts_with('\n');
}

}  // namespace

bool name_fits(std::string_view name, std::string_view pattern) {
  if (!pattern.ends_with('*')) return ascii::equal_ignoring_case(name, pattern);
  pattern.remove_suffix(1);
  return ascii::equal_ignoring_case(name.substr(0, pattern.size()), pattern);
}

bool HeaderEdit::next(mail::Field& field) {
  while (!rest_.empty() && !begins_with_empty_line(rest_)) {
    field = mail::take_field(rest_);
    const bool has_colon = field.body.data() > field.whole.data() && field.body.data()[-1] == ':';
    if (has_colon && is_field_name(field.name)) return true;
  }
  return false;
}

void HeaderEdit::replace(std::string_view part, std::string_view by) {
  if (!changed_) edited_.reserve(header_.size() + usual_growth);
  changed_ = true;
  const std::size_t begin = offset_of(part);
  edited_.append(header_.substr(copied_, begin - copied_)).append(by);
  copied_ = begin + part.size();
}

void HeaderEdit::add(std::string_view field) {
  replace(rest_.substr(0, 0), {});
  if (!edited_.empty() && !edited_.ends_with('\n')) edited_ += "\r\n";
  edited_ += field;
}

std::optional<std::string> HeaderEdit::take() && {
  if (!changed_) return std::nullopt;
  edited_.append(header_.substr(copied_));
  return std::move(edited_);
}

}  // namespace relayd::rewrite
