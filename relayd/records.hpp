// TXT records of DNS as text: what `relayd dkim keygen` and `relayd dns` print.
#pragma once

#include <string>
#include <string_view>

#include "shared/crypto/signing_key.hpp"
#include "shared/dns/dkim_record.hpp"

namespace relayd::command {

// The public half of a key as DNS has it.
dns::DkimKey public_half(std::string domain, std::string selector, const crypto::SigningKey& key);

// A line of a zone file, `NAME. IN TXT "TEXT"`: strings of at most 255 octets, which DNS joins without a
// blank (RFC 1035 3.3.14, RFC 6376 3.6.2.2).
std::string zone_line(std::string_view name, std::string_view text);

}  // namespace relayd::command
