// A configuration as far as it can be read: for commands that need little of it, such as where the daemon is
// and its folders, and that an error elsewhere in the file must not stop.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"

namespace relayd::config {

// What cannot be read stands at its default; nothing is checked against anything else.
struct Readable {
  Config config;
  std::vector<Diagnostic> errors;
  // The file cannot be opened, or an error may hide where the daemon is: `admin` and `queue` say less than is
  // written there.
  bool hides_daemon = false;
};
// Of `demands`, `secrets` counts for nothing: none is read.
Readable read_what_can_be(const std::filesystem::path& path, const Environment& environment,
                          const Demands& demands = {});
Readable read_what_can_be(std::string_view text, const std::string& name, const Environment& environment);
// The same of the RELAYD_* variables.
Readable read_what_can_be(const Environment& environment);

}  // namespace relayd::config
