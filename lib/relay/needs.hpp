// What a configuration needs of the process: where it writes, and whether it starts programs.
#pragma once

#include "shared/config/config.hpp"
#include "shared/process/confinement.hpp"

namespace relayd {

// Looks at the disk to follow links; what is not there yet counts too.
process::Needs needs_of(const config::Config& config);

}  // namespace relayd
