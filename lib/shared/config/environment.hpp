// A start without a file, as a file: for `relayd init --from-env`.
#pragma once

#include <string>

#include "shared/base/result.hpp"
#include "shared/config/config.hpp"

namespace relayd::config {

// The file that the RELAYD_* variables mean: reading it gives what load_environment() gives. Secrets stay
// where they are, and it names their variables. An error: there is no such start.
Result<std::string> file_of_environment(const Environment& environment);

}  // namespace relayd::config
