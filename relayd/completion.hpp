// Completions of the command line for shells: scripts that hold all words, and ask no relayd.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "command_tree.hpp"

namespace relayd::command {

// `shell`: bash, zsh or fish.
std::string completion(const std::vector<CommandFacts>& commands, std::string_view shell);

}  // namespace relayd::command
