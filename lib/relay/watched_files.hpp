// The files that a configuration consists of beside its own: a change of one is a change of it.
//
// Pure. Not among them is what is read where it is used and never kept: passwords of upstreams and their
// certificates. What a file includes is known to whoever reads it.
#pragma once

#include <string>
#include <vector>

#include "shared/config/config.hpp"

namespace relayd {

// Those that are read when it is loaded.
std::vector<std::string> watched_files(const config::Config& config);

// All that it names and whose absence can keep it from being loaded.
std::vector<std::string> named_files(const config::Config& config);

}  // namespace relayd
