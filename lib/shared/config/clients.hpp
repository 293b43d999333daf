// Clients that a key names: networks, and "uid:1000" for the user at a unix socket. Private to this room.
#pragma once

#include <cstdint>
#include <vector>

#include "shared/config/network.hpp"
#include "shared/config/reader.hpp"

namespace relayd::config {

// One or a list of them.
void read_clients(Reader& reader, const Node& node, std::vector<Network>& networks,
                  std::vector<std::uint32_t>& uids);

}  // namespace relayd::config
