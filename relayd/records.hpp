// TXT records of DNS as text: what `relayd dkim keygen` and `relayd dns` print.
#pragma once

#include <string>
#include <string_view>

#include "shared/crypto/signing_key.hpp"

namespace relayd::command {

// "s1._domainkey.example.com" (RFC 6376 3.6.2.1).
std::string dkim_record_name(std::string_view selector, std::string_view domain);

// "v=DKIM1; k=rsa; p=..." (RFC 6376 3.6.1, RFC 8463 4).
std::string dkim_record(const crypto::SigningKey& key);

// A line of a zone file, `NAME. IN TXT "TEXT"`: strings of at most 255 octets, which DNS joins without a
// blank (RFC 1035 3.3.14, RFC 6376 3.6.2.2).
std::string zone_line(std::string_view name, std::string_view text);

}  // namespace relayd::command
