// resolve(): the addresses of a host, from the system's resolver (hosts file, DNS), without blocking the
// loop.
//
// Used by NetDialer alone. The lookup runs on the C library's own threads: it cannot be stopped, so nobody
// waits for it longer than he wants to, and it occupies none of our workers. Nothing is cached here.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "shared/async/loop.hpp"
#include "shared/async/task.hpp"

namespace relayd::net {

// Addresses as text, in the order to try; an IP literal is its own. Throws IoError: resolve, also when the
// deadline passed; cancelled soon after `stop` was requested.
async::Task<std::vector<std::string>> resolve(async::Loop& loop, std::string host, Deadline deadline,
                                              std::stop_token stop);

// IPv6 and IPv4 in turn, beginning with the family of the first, each in its order (RFC 8305 4).
std::vector<std::string> interleave(const std::vector<std::string>& addresses);

}  // namespace relayd::net
