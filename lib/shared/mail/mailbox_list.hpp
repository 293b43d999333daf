// Mailbox lists: every address in a field such as To, or in a word of a command line (RFC 5322 3.4).
//
// Stands beside first_mailbox(), which reads each of them. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::mail {

// The addresses, in order, of `"Doe, J" <a@b>, friends: c@d, (both) e@f;` and the like; no display names,
// comments or group names. An empty list has none. A member without an address that can be read is an error,
// which quotes it. The text is unfolded.
Result<std::vector<std::string>> mailbox_list(std::string_view field_body);

}  // namespace relayd::mail
