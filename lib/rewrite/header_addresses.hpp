// Header addresses: the fields of a header whose addresses are rewritten.
//
// Stands under Rewriting, which says what an address becomes; here is where addresses stand, and how others
// are put in their place. Pure; linear time. Display names, comments, groups, quoting, folding, field names
// and all other octets stay. It never touches Message-ID, References, Received, List-* or DKIM-Signature, and
// removes no signature.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rewrite/rewriting.hpp"

namespace relayd::rewrite {

// The class of a field by its name: AddressClass::from_fields, AddressClass::to_fields, or nothing.
// from_fields: From, Sender, Reply-To, Errors-To, Return-Path, Disposition-Notification-To,
// Return-Receipt-To, Mail-Followup-To, Resent-From, Resent-Sender. to_fields: To, Cc, Bcc, Apparently-To,
// Resent-To, Resent-Cc, Resent-Bcc, Resent-Reply-To. (cleanup(8) of Postfix divides them so.)
std::optional<AddressClass> class_of(std::string_view field_name);

// A header block (lines with CR LF, with or without the empty line behind it) with other addresses, in every
// instance of each field; nothing where all stay. An address with a route or with blanks in it (RFC 5322 4.4)
// is written plain, its comments behind it. A line that becomes longer than 998 octets is folded at a comma
// or a blank; a field where that is not possible stays and is noted.
//
// By a rule with `keep: reply-to` the From is forced. It concerns From, Sender and their Resent- forms only,
// not the fields that say where replies go. The old mailboxes of From become Reply-To, unless there is one;
// several that become the same address are one, with the display name of the first; a Sender that equals the
// From is dropped. With a Resent-From, that one is forced, and From and Sender stay (RFC 5322 3.6.6).
std::optional<std::string> with_addresses(std::string_view header, const Rewriting& rewriting, Notes& notes);

}  // namespace relayd::rewrite
