// YAML as relayd writes it: for files that a command makes.
//
// Stands beside the parser (yaml.hpp), which reads the same back. Pure.
#pragma once

#include <string>
#include <string_view>

#include "shared/config/node.hpp"

namespace relayd::config {

// A value in double quotes: what the reader makes of it is the text again, also where it has "${NAME}".
std::string yaml_quoted(std::string_view text);

// A map as lines, each key and value in a line of its own. No secret may be in it.
std::string yaml_text(const Node& map);

}  // namespace relayd::config
