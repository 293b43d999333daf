// docs/commands.md, made from the command line that relayd has.
#pragma once

#include <string>
#include <vector>

#include "command_tree.hpp"

namespace relayd::command {

std::string command_page(const std::vector<CommandFacts>& commands);

}  // namespace relayd::command
