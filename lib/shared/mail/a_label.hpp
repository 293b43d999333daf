// A-labels: a domain in the ASCII form that DNS has (RFC 5890 2.3.2.1), by UTS 46.
//
// Stands under whatever looks a domain up: rules (lookup_key.hpp), signing keys, hosts of the configuration.
// Pure. A domain in ASCII costs no more than its lower case: an A-label stays, since what DNS has under
// another label is another domain.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace relayd::mail {

// The domain in lower case; one that is not ASCII is mapped (case, width, ignored characters, dots of other
// scripts), composed (NFC) and encoded, as UTS 46 does without its transitional mappings, less a dot of
// another script at its end. Nothing: IDNA 2008 allows no such domain (RFC 5891 5), or it has more octets
// than DNS has room for.
std::optional<std::string> dns_name(std::string_view domain);

// The same, for comparing: what is no domain stays as it is, but for the case of ASCII. "*." may stand before
// it.
std::string a_labels(std::string_view domain);

// Letters, digits, '-' and '_', with no '-' at either end; octets above 127 pass.
bool is_label(std::string_view text);

}  // namespace relayd::mail
