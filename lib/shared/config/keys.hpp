// The table of keys, and the reading of a whole tree through it. Private to this room.
#pragma once

#include "shared/config/reader.hpp"

namespace relayd::config {

void read_config(Reader& reader, const Node& root, Config& config);

}  // namespace relayd::config
