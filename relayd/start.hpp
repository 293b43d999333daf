// Who a command is before it reads a secret or runs a program of a `command:`: the user that the daemon is.
// And how `run` and `check` come to their Setup: as that user, and confined.
#pragma once

#include <optional>

#include "commands.hpp"
#include "shared/process/confinement.hpp"

namespace relayd::command {

struct Start {
  Setup setup;
  std::vector<config::Diagnostic> warnings;
  process::Standing standing;
  disk::FileStamps files;  // that were read, as they were before
};

// Started by another user than root: stays that. Started by root: becomes `user:` of the configuration;
// without it the owner of the queue's directory, or the user "relayd" where that is root or not there yet;
// stays root where it may not become anybody. Of root's capabilities only the one for ports below 1024 is
// left. False: it cannot be done, and why stands on standard error. `user`: who it is then. `as`: whom to
// become instead; empty: nobody.
bool become_daemon_user(const config::Config& config, process::User& user, bool makes_places = false,
                        const std::string& as = {});

// The same, and the configuration read as that user. Nothing: it cannot be done, and why stands on standard
// error.
//
// With `makes_places`, directories that the configuration names and that are not there are made, for that
// user: a confined process could not. What cannot be made is left to whoever needs it.
std::optional<Start> make_start(const Options& options, bool makes_places);

}  // namespace relayd::command
