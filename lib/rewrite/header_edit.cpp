#include "rewrite/header_edit.hpp"

#include <utility>

namespace relayd::rewrite {

namespace {

constexpr std::size_t usual_growth = 256;

}  // namespace

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
