// Addresses: the syntax of a mailbox (RFC 5321 4.1.2, RFC 6531 3.3) and its parts.
//
// Stands under the SMTP parser, the header scanner, routing and access rules, so that all of them divide an
// address at the same place. Pure. It never rewrites: a local part means what its own host says it means, and
// is handed on octet by octet.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace relayd::mail {

struct Parts {
  std::string_view local_part;  // with its quotes, if it has them
  std::string_view domain;      // empty: the address is unqualified
};

// Octets of an address that SMTP has room for (RFC 5321 4.5.3.1.3), without <>.
inline constexpr std::size_t longest_address = 254;

// Divides at the last '@' that is not inside quotes. Never fails: text without such an '@' is all local part.
Parts split(std::string_view address);

// The domain in lower case and as A-labels (a_label.hpp); empty for an unqualified address. For comparing,
// never for sending.
std::string folded_domain(std::string_view address);

// "user+tag@example.com" becomes "user@example.com"; an address without a tag, with a quoted local part, or
// with nothing before the '+' comes back as it is.
std::string without_tag(std::string_view address);

// With "@origin" behind it where the domain is missing. The null path, and everything where there is no
// origin, comes back as it is.
std::string qualified(std::string_view address, std::string_view origin);

enum class AddressFault {
  none,
  syntax,       // not a Mailbox, and not a lone local part either
  too_long,     // local part over 64 octets or domain over 255 (RFC 5321 4.5.3.1)
  needs_utf8,   // octets above 127 where only ASCII is allowed
  bad_unicode,  // not UTF-8, or a control or direction mark in it
  bad_domain,   // beyond ASCII, and no domain that IDNA allows (RFC 6531 3.3); see a_label.hpp
};

// Checks an address without <>. A lone local part is syntactically fine: whether an unqualified address is
// welcome is the caller's policy. The empty string is a syntax fault (the null path is no mailbox).
// More lenient than the RFC in two places, because such addresses are in use: dots may stand anywhere in an
// unquoted local part, and '_' in a domain. Stricter in one: a leading '-' is refused, so that no address can
// ever be taken for an option of a command.
AddressFault check_address(std::string_view address, bool allow_utf8);

}  // namespace relayd::mail
