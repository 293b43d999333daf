// What must hold between keys, once each of them could be read. Private to this room.
#pragma once

#include "shared/config/reader.hpp"

namespace relayd::config {

// `config` was read from `root`, so that its lists run in step with the nodes'. Defaults are not filled in
// yet.
void check_config(Reader& reader, const Node& root, const Config& config);

}  // namespace relayd::config
