// Files that a command makes, for what must not be overwritten.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace relayd::command {

// Makes the file, with all of the text on disk. What is there already stays, a link too. `owner`: whose it
// becomes, where we may give it away. Why it failed, in words; nothing is left then. Empty: done.
std::string write_new_file(const std::string& path, std::string_view text, mode_t mode,
                           std::optional<uid_t> owner = {});

}  // namespace relayd::command
