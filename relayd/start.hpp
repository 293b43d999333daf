// How `run` and `check` come to their Setup: as the user that the daemon is, and confined, before any secret
// is read and any program of a `command:` is run.
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
// left. Nothing: it cannot be done, and why stands on standard error.
//
// With `makes_places`, directories that the configuration names and that are not there are made, for that
// user: a confined process could not. What cannot be made is left to whoever needs it.
std::optional<Start> make_start(const Options& options, bool makes_places);

}  // namespace relayd::command
