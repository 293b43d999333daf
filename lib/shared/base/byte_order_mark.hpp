// The byte order mark that some editors put before a text in UTF-8 (RFC 3629 6).
//
// Stands under every room that reads files of text.
#pragma once

#include <string_view>

namespace relayd {

// The text behind its mark, if it has one.
constexpr std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view mark = "\xef\xbb\xbf";
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  return text;
}

}  // namespace relayd
