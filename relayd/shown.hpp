// Text of others as a terminal may have it: what could move its cursor, change its settings or turn the
// direction of what is read becomes \xHH.
//
// Whatever a command prints that it did not make up itself goes through one of these, on a terminal or not.
#pragma once

#include <string>
#include <string_view>

namespace relayd::command {

std::string shown(std::string_view text);        // one line; what is longer than 16 KiB is cut
std::string shown_lines(std::string_view text);  // line ends and tabs stay
std::string shown_json(std::string_view text);   // the same value, with \uHHHH within its strings

}  // namespace relayd::command
