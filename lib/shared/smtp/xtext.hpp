// xtext: how ESMTP parameters carry any octet (RFC 3461 4), "a+b" as "a+2Bb".
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relayd::smtp {

std::string encode_xtext(std::string_view text);

// Nothing when the text is not xtext, or hides a control character: no decoded value can begin a line of its
// own in a command, a record or a log.
std::optional<std::string> decode_xtext(std::string_view xtext);

}  // namespace relayd::smtp
