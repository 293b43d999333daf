// The small pieces that requests and responses of HTTP are read with (RFC 9110 5.6). Private to this room.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "shared/base/ascii.hpp"

namespace relayd::http {

// Calls with each element of a comma-separated list.
void for_each_element(std::string_view list, const auto& call) {
  for (;;) {
    const std::size_t comma = std::min(list.find(','), list.size());
    call(ascii::trimmed(list.substr(0, comma), ascii::blanks));
    if (comma == list.size()) return;
    list.remove_prefix(comma + 1);
  }
}

// False: it is no number of digits alone, or too large for 64 bits.
inline bool read_number(std::string_view digits, int base, std::uint64_t& number) {
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number, base);
  return failure == std::errc() && end == digits.data() + digits.size();
}

}  // namespace relayd::http
