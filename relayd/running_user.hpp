// What stands before a start: the user that the daemon runs as, and the places that it writes to.
#pragma once

#include "commands.hpp"

namespace relayd::command {

// Started by another user than root: stays that. Started by root: becomes `user:` of the configuration;
// without it the user "relayd" where there is one, else the owner of the queue's directory, which may be
// root; and stays root where it may not become anybody. Of root's capabilities only the one for ports below
// 1024 is left. A configuration that cannot be used changes nothing: make_setup then says why. False: it
// cannot be done, and why stands on standard error.
//
// With `make_places`, the directories that the configuration names and that are not there yet are made for
// that user first: a confined process could not. What a user may not make is left to whoever needs it.
bool become_running_user(const Options& options, bool make_places);

}  // namespace relayd::command
