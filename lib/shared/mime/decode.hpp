// The two encodings of a body that are not the octets themselves (RFC 2045 6): quoted-printable and base64.
//
// Stands under who shows mail. Pure; linear time. Both take what others wrote carelessly: there is no text
// that they refuse.
#pragma once

#include <string>
#include <string_view>

namespace relayd::mime {

enum class Encoding { none, quoted_printable, base64 };

// Of the value of a Content-Transfer-Encoding field; none for a word that nobody knows.
Encoding encoding_of(std::string_view word);

// The octets of a body; no more of them than there are octets in the text.
std::string decode(Encoding encoding, std::string_view text);

// "%41" as 'A' (RFC 2231, RFC 2392); what is no such code stays.
std::string decode_percent(std::string_view text);

}  // namespace relayd::mime
