// What signs for the domains of a configuration, read from its key files.
//
// Done when a Setup is made, and by `relayd dns`, which shows the public halves.
#pragma once

#include <vector>

#include "rewrite/dkim.hpp"
#include "shared/config/config.hpp"

namespace relayd {

struct SigningKeysResult {
  rewrite::DkimKeys keys;  // those that could be read
  std::vector<config::Diagnostic> errors;
};
// Blocks. Who may read the files is not asked here: `run` and `check` have asked it of the configuration.
SigningKeysResult read_signing_keys(const config::Config& config);

}  // namespace relayd
