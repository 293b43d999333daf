// How long a line of a message is (RFC 5322 2.1.1).
//
// Stands under whoever writes one: rewrite, tell.
#pragma once

#include <cstddef>

namespace relayd::mail {

// Octets of a line without CR LF: the most that it may have, and that it should have.
inline constexpr std::size_t max_line = 998;
inline constexpr std::size_t wanted_line = 78;

}  // namespace relayd::mail
