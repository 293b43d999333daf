#include "shown.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "shared/mail/utf8.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::command {

namespace {
constexpr std::size_t longest_line = 16 * 1024;
}

std::string shown(std::string_view text) {
  return smtp::escape(text, longest_line);
}

std::string shown_lines(std::string_view text) {
  std::string result;
  for (;;) {
    const std::size_t end = std::min(text.find_first_of("\t\n"), text.size());
    const bool returns = text.substr(0, end).ends_with('\r') && text.substr(end).starts_with('\n');
    result += smtp::escape(text.substr(0, end - returns), std::string::npos / 2);
    if (end == text.size()) return result;
    if (returns) result += '\r';
    result += text[end];
    text.remove_prefix(end + 1);
  }
}

std::string shown_json(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::optional<mail::CodePoint> point = mail::first_code_point(text);
    const std::size_t octets = point ? point->octets : 1;
    if (point && mail::is_invisible_control(point->value))
      result += fmt::format("\\u{:04x}", static_cast<std::uint32_t>(point->value));
    else
      result += text.substr(0, octets);
    text.remove_prefix(octets);
  }
  return result;
}

}  // namespace relayd::command
