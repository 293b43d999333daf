// Inherited sockets: what a service manager has opened before it started us (sd_listen_fds(3): LISTEN_PID,
// LISTEN_FDS, LISTEN_FDNAMES). Used by the acceptor. Nothing is closed here; a socket that no listener takes
// stays as it is.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::net {

// The descriptor that has this name, or this number ("3"); it is then not passed on to programs that we
// start. Fails with a text when there is none, or it is no stream socket that listens.
Result<int> inherited_socket(std::string_view name);

// The same for the one that is bound to this address. Nothing: there is none, and the address is ours to
// bind.
std::optional<int> inherited_socket_at(const sockaddr* address, socklen_t size);

// Those that nobody has asked for until now, as "127.0.0.1:25" or "unix:PATH": clients that connect there
// wait in vain.
std::vector<std::string> unused_inherited_sockets();

// Closes what whoever started the process left open, but for the three standard descriptors and those
// sockets.
void close_what_was_not_handed_over();

}  // namespace relayd::net
