// Colour for a terminal. Standard output has it where it is one and nobody has asked for none (NO_COLOR,
// https://no-color.org, or a terminal that is "dumb").
#pragma once

#include <string>
#include <string_view>

namespace relayd::command {

bool has_colour();

// Lines, each in the colour of its first word: "critical:" red, "warning:" yellow; as they are where there is
// no colour.
std::string painted(std::string_view lines);

}  // namespace relayd::command
