// Folding: lines of a header field that have become too long (RFC 5322 2.1.1, 2.2.3).
//
// Stands under what changes fields. Pure; linear time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "shared/mail/line_length.hpp"

namespace relayd::rewrite {

using mail::max_line;
using mail::wanted_line;

// A field (name, colon and body, lines with CR LF) without a line of more than max_line octets: longer ones
// are folded behind a comma or before a blank of the body, as late as possible, never in a quoted string, an
// encoded word or between '<' and '>'. A field without such lines comes back as it is. Nothing: it cannot be
// done.
std::optional<std::string> fitted(std::string field);

}  // namespace relayd::rewrite
