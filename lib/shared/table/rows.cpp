#include "shared/table/rows.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::table {

std::string_view fault_in(std::string_view text) {
  const auto is_forbidden = [](char c) { return ascii::is_control(c) && c != '\t'; };
  return std::ranges::any_of(text, is_forbidden) ? "a line end or another control character" : "";
}

void Rows::add(std::string_view key, std::string_view value, std::size_t line, std::vector<Fault>& faults) {
  for (const std::string_view text : {key, value})
    if (!fault_in(text).empty()) return faults.push_back({line, 1, std::string(fault_in(text))});
  if (key.empty()) return faults.push_back({line, 1, "the key is missing"});
  if (value.empty()) return faults.push_back({line, 1, fmt::format("'{}' has no value", key.substr(0, 80))});
  const auto offset = [this] { return static_cast<std::uint32_t>(text_.size()); };
  Place row{offset(), 0, 0, static_cast<std::uint32_t>(line)};
  text_ += mail::lookup_key(key);
  row.value = offset();
  text_ += value;
  row.end = offset();
  rows_.push_back(row);
}

void Rows::sort(std::vector<Fault>& faults) {
  const auto by_key = [this](const Place& row) { return key(row); };
  std::ranges::stable_sort(rows_, {}, by_key);
  for (std::size_t i = 1; i < rows_.size() && faults.size() < most_faults; ++i) {
    if (key(rows_[i]) != key(rows_[i - 1])) continue;
    faults.push_back(
        {rows_[i].line, 1,
         fmt::format("'{}' is there twice: in line {} as well", key(rows_[i]), rows_[i - 1].line)});
  }
  text_.shrink_to_fit();
  rows_.shrink_to_fit();
}

const Rows::Place* Rows::place(std::string_view wanted) const {
  const std::string folded = mail::lookup_key(wanted);
  const auto by_key = [this](const Place& row) { return key(row); };
  const auto found = std::ranges::lower_bound(rows_, std::string_view(folded), {}, by_key);
  return found == rows_.end() || key(*found) != folded ? nullptr : &*found;
}

std::optional<std::string> Rows::find(std::string_view wanted) const {
  const Place* const found = place(wanted);
  return found ? std::optional(std::string(value(*found))) : std::nullopt;
}

std::size_t Rows::line_of(std::string_view wanted) const {
  const Place* const found = place(wanted);
  return found ? found->line : 0;
}

void Rows::each(const Visit& visit) const {
  std::vector<const Place*> by_line;
  for (const Place& row : rows_) by_line.push_back(&row);
  std::ranges::sort(by_line, {}, &Place::line);
  for (const Place* const row : by_line) visit({key(*row), value(*row), row->line});
}

Parsed finish(std::shared_ptr<Rows> rows, std::vector<Fault> faults) {
  rows->sort(faults);
  std::ranges::stable_sort(faults, {}, &Fault::line);
  if (!faults.empty()) return {nullptr, std::move(faults)};
  return {std::move(rows), {}};
}

}  // namespace relayd::table
