// Quarantine: keeps what was not sound for a person to look at, as quarantine/NAME. The queue never reads it
// again.
#pragma once

#include <string>
#include <string_view>

#include "shared/disk/disk.hpp"

namespace relayd::queue {

// Durable when it returns. Blocks. Throws DiskError.
void set_aside(disk::Disk& disk, const std::string& name, std::string_view bytes);

}  // namespace relayd::queue
