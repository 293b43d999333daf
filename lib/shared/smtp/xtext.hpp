// xtext: how ESMTP parameters carry any octet (RFC 3461 4), "a+b" as "a+2Bb".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relayd::smtp {

std::string encode_xtext(std::string_view text);

// An address in ASCII, "bü" as "b\x{FC}" (RFC 6533 3, utf-8-addr-xtext).
std::string encode_utf8_xtext(std::string_view address);

// Nothing when the text is not xtext, or hides a control character: no decoded value can begin a line of its
// own in a command, a record or a log.
std::optional<std::string> decode_xtext(std::string_view xtext);

}  // namespace relayd::smtp
