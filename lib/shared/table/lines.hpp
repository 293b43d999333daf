// Logical lines, as Postfix reads its tables: a line that begins with a blank goes on with the one before,
// its blanks kept; empty lines and those whose first character beside blanks is '#' are left out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace relayd::table {

inline constexpr std::string_view blanks = " \t\r\v\f";

// Without blanks at either end.
inline std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(blanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(blanks) - begin + 1);
}

class LogicalLines {
 public:
  explicit LogicalLines(std::string_view text) : rest_(text) {
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    if (rest_.starts_with(byte_order_mark)) rest_.remove_prefix(byte_order_mark.size());
  }

  // False at the end. The blanks before a line with none before it are kept: they are for the caller to
  // refuse.
  bool next(std::string& line) {
    line.clear();
    while (!rest_.empty()) {
      const std::size_t end = std::min(rest_.find('\n'), rest_.size());
      const std::string_view physical = rest_.substr(0, end);
      const std::string_view said = trimmed(physical);
      const bool counts = !said.empty() && said.front() != '#';
      const bool goes_on = counts && blanks.find(physical.front()) != std::string_view::npos;
      if (counts && !goes_on && !line.empty()) break;
      rest_.remove_prefix(std::min(end + 1, rest_.size()));
      ++read_;
      if (!counts) continue;
      if (line.empty()) number_ = read_;
      line += physical;
    }
    return !line.empty();
  }

  // Of the line where the one that next() gave begins, from 1.
  std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t read_ = 0;
  std::size_t number_ = 0;
};

}  // namespace relayd::table
