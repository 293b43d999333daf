// The last step of every way to load: a tree becomes a checked Config. Private to this room.
#pragma once

#include <string>

#include "shared/config/reader.hpp"

namespace relayd::config {

// Reads and checks `root`, fills in the defaults that depend on the machine, and puts the complaints in the
// file's order. `file` becomes Config::file.
Loaded load_tree(Reader reader, const Node& root, const std::string& file);

}  // namespace relayd::config
