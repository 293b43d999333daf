// Completing addresses: where the header of a message names somebody without a domain, as cron, scripts and
// mail readers do ("To: root").
//
// Stands between accept, which has the header whole, and the queue, which gets it with "@origin" put in: what
// the envelope gets too. Pure. It says where, and no field is written anew: every octet of the message stays,
// in its place.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace relayd::rewrite {

// The offsets in a header block, in order, at which `octets` octets ("@origin") are missing: behind the
// addresses without a domain in From, Sender, Reply-To, To, Cc, Bcc and their Resent- forms (RFC 5322 3.6). A
// mailbox that cannot be read is left alone, and so is a field with a line that would exceed 998 octets
// (2.1.1).
std::vector<std::size_t> missing_domains(std::string_view header, std::size_t octets);

// The header with `domain` ("@origin") put in at these places; nothing where there are none.
std::optional<std::string> with_domains(std::string_view header, std::string_view domain);

}  // namespace relayd::rewrite
