// What `relayd explain` says, for the command and for the window over HTTP.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "commands.hpp"

namespace relayd::command {

struct Explanation {
  std::string text = {};  // as it may be shown
  int exit_code = 0;      // as of `relayd explain`
  std::vector<config::Diagnostic> errors = {};
};

// By `sender recipient message client account listener live` of the options, and the files that the
// configuration names. Blocks.
Explanation explanation_of(const std::shared_ptr<const config::Config>& config, const Options& options);

}  // namespace relayd::command
