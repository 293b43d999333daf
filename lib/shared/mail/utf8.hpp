// UTF-8: the next code point of a text, or the knowledge that there is none.
//
// Stands under addresses, replies and logs, which all meet octets from strangers. Strict (RFC 3629): overlong
// forms, surrogates and values above U+10FFFF are not UTF-8.
#pragma once

#include <optional>
#include <string_view>

namespace relayd::mail {

struct CodePoint {
  char32_t value = 0;
  std::size_t octets = 0;
};

// The code point at the beginning of a text that is not empty; nothing when the octets there are not UTF-8.
std::optional<CodePoint> first_code_point(std::string_view text);

// True for what changes how other characters are shown or read: C0 and C1 controls, DEL, line and paragraph
// separators, direction marks, the byte-order mark. None of it may enter an address or a log line.
bool is_invisible_control(char32_t c);

}  // namespace relayd::mail
