// connect(): one TCP connection to whichever of a host's addresses answers first (RFC 8305, "happy
// eyeballs"), or one to a unix socket.
//
// Used by NetDialer alone. Addresses are tried in their order, the next one a quarter of a second after the
// last was begun or at once when it failed, so that one that swallows packets delays nobody.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "shared/net/connection.hpp"

namespace relayd::net {

// What an address of a unix socket begins with; its path follows.
inline constexpr std::string_view unix_prefix = "unix:";

// `addresses` are IP literals of `host`, at least one. The losers are closed. Throws IoError: refused,
// unreachable, timed_out, with what each address answered; cancelled soon after `stop` was requested.
async::Task<std::unique_ptr<Connection>> connect(AsioLoop& loop, std::string host,
                                                 std::vector<std::string> addresses, std::uint16_t port,
                                                 Deadline deadline, std::stop_token stop);

// One connection to a unix socket, "unix:PATH". Throws IoError: refused, unreachable.
std::unique_ptr<Connection> connect_unix(AsioLoop& loop, const std::string& address);

}  // namespace relayd::net
