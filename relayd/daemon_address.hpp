// Where the running daemon is: for commands that ask it, and that judge nothing of a configuration which may
// have changed on disk since.
#pragma once

#include <optional>
#include <string>

#include "commands.hpp"
#include "shared/config/readable.hpp"

namespace relayd::command {

// The URL that --url says, else the path of its admin socket: what --socket says, else RELAYD_ADMIN, else the
// configuration as far as it can be read, else the default place. Nothing: the configuration hides it, and
// why stands on standard error.
std::optional<std::string> daemon_address(const Options& options);
// The admin socket where the configuration was read already.
std::string daemon_socket(const Options& options, const config::Config& config);

// The configuration as far as it can be read: the file that load_config() would take, or the environment.
config::Readable readable_config(const Options& options);

}  // namespace relayd::command
