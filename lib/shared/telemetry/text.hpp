// How a line of JSON, or of the log, says a time, a text of others and an address.
//
// Used by the Log, and by the history, whose lines are kept. Pure.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/time.hpp"

namespace relayd::telemetry {

// "2026-11-20T06:24:01.123456Z"
void append_time(std::string& out, WallTime when);

// As it may stand between the quotes of JSON: quotes, backslashes and all that could move a terminal, break a
// line or turn its direction are escaped. An octet that is no UTF-8 becomes the character of its number.
void append_escaped(std::string& out, std::string_view text);

// "ann@example.com" as "a***@example.com".
std::string masked(std::string_view address);
// The same for each address in a text.
std::string masked_within(std::string_view text);

}  // namespace relayd::telemetry
