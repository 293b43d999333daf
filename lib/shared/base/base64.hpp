// Base64 (RFC 4648 4): octets as text of 64 letters.
//
// Stands under every room; SASL has libgsasl's own. Pure; linear time. It is written without branches and
// tables that depend on the octets: they may be a private key. Who encodes or decodes one wipes what comes of
// it; it is in one piece of memory and nowhere else.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relayd::base64 {

// With padding and without line ends.
std::string encode(std::string_view octets);

// Nothing when it is no base64 with its padding: white space is none, and bits that fill no octet are zero
// (3.5).
std::optional<std::string> decode(std::string_view text);

// The same of a text that others wrote carelessly: the octets up to the first letter that is none of base64,
// whose padding may be missing.
std::string decode_leniently(std::string_view text);

}  // namespace relayd::base64
