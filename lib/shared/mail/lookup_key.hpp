// Lookup keys: the one form that an address has wherever it is looked up or compared by a rule.
//
// Stands under patterns, aliases, tables and lists of the configuration, so that one key means the same in
// all of them. Never for sending: what leaves keeps its spelling (RFC 5321 2.4). Pure.
#pragma once

#include <string>
#include <string_view>

namespace relayd::mail {

// The domain in lower case and as A-labels; a local part without quotes that it does not need, or with no
// more backslashes than it needs, in its own case. So "a.b"@x becomes a.b@x, and "a b"@x stays. Names without
// a domain, "@domain" and "@*.domain" have keys as well.
std::string lookup_spelling(std::string_view address);

// The same with the local part in lower case (ASCII only): equal keys are one address to every rule. Beyond
// ASCII a local part counts octet by octet: which of its spellings are one is for its own host to say (RFC
// 5321 2.4).
std::string lookup_key(std::string_view address);

}  // namespace relayd::mail
