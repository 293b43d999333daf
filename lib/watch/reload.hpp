// Reload: what became of a configuration that was read again, as the operator who asked for it is told.
#pragma once

#include <string>
#include <vector>

namespace relayd::watch {

struct Reload {
  bool taken = false;                      // else the old one stays
  std::vector<std::string> errors = {};    // FILE:LINE:COL: text
  std::vector<std::string> warnings = {};  // the same
  std::string left = {};                   // what takes effect with the next start, in words; empty: nothing
};

}  // namespace relayd::watch
