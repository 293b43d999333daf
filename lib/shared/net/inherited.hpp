// Inherited sockets: what a service manager has opened before it started us (sd_listen_fds(3): LISTEN_PID,
// LISTEN_FDS, LISTEN_FDNAMES). Used by the acceptor. Nothing is closed here; a socket that no listener names
// stays as it is.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.hpp"

namespace relayd::net {

// The descriptor that has this name, or this number ("3"); it is then not passed on to programs that we
// start. Fails with a text when there is none.
Result<int> inherited_socket(std::string_view name);

// Closes what whoever started the process left open, but for the three standard descriptors and those
// sockets.
void close_what_was_not_handed_over();

}  // namespace relayd::net
