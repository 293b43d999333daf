// Logical lines, as Postfix reads its tables: a line that begins with a blank goes on with the one before,
// its blanks kept; empty lines and those whose first character beside blanks is '#' are left out.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "shared/base/ascii.hpp"
#include "shared/base/byte_order_mark.hpp"

namespace relayd::table {

// Blanks of a line are ascii::line_space.
inline std::string_view trimmed(std::string_view text) {
  return ascii::trimmed(text, ascii::line_space);
}
inline bool begins_with_blank(std::string_view line) {
  return !line.empty() && ascii::line_space.find(line.front()) != std::string_view::npos;
}

class LogicalLines {
 public:
  explicit LogicalLines(std::string_view text) : rest_(without_byte_order_mark(text)) {}

  // False at the end. The blanks before a line with none before it are kept: they are for the caller to
  // refuse.
  bool next(std::string& line) {
    line.clear();
    while (!rest_.empty()) {
      const std::size_t end = std::min(rest_.find('\n'), rest_.size());
      const std::string_view physical = rest_.substr(0, end);
      const std::string_view said = trimmed(physical);
      const bool counts = !said.empty() && said.front() != '#';
      const bool goes_on = counts && begins_with_blank(physical);
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
