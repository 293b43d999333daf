// parse_pin(): the pin of a server's key, as an operator writes it. Pure; used by the key table.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.hpp"

namespace relayd::config {

// The SHA-256 of a SubjectPublicKeyInfo in base64 (RFC 4648 4, RFC 7469 2.4), or in hexadecimal with or
// without colons. Gives its 32 octets.
Result<std::string> parse_pin(std::string_view text);

}  // namespace relayd::config
