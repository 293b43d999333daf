// open_tunnel(): asks the HTTP proxy at the other end of a stream for a tunnel (RFC 9110 9.3.6).
#pragma once

#include <string>

#include "shared/async/stream.hpp"

namespace relayd::http {

// `proxy` names it in errors. `target` is "HOST:PORT"; `authorization` the value of Proxy-Authorization, or
// empty. Reads no octet behind the response: what follows is the target's. Throws IoError: unreachable where
// the proxy refuses, protocol where it speaks no HTTP, closed where it leaves.
async::Task<void> open_tunnel(async::Stream& stream, const std::string& proxy, const std::string& target,
                              const std::string& authorization, Deadline deadline);

}  // namespace relayd::http
