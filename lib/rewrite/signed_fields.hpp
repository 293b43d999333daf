// Signed fields: whether a change of a header breaks a signature that it has.
//
// Asked once for a rule that changed something, for the log. Pure; linear time. It verifies nothing.
#pragma once

#include <string>
#include <string_view>

namespace relayd::rewrite {

// The name of a field that a DKIM-Signature of `before` has in h= (RFC 6376 3.5) and that is not the same in
// `after`; absent ones count too (5.4, oversigning). In lower case; empty: there is none.
std::string changed_signed_field(std::string_view before, std::string_view after);

}  // namespace relayd::rewrite
