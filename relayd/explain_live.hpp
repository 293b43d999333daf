// explain --live: how the lanes of a route stand in the running daemon.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "route/router.hpp"

namespace relayd::command {

// Lines with '\n', a lane for each choice; the logins of some are for the sender. False: the daemon of that
// socket does not answer, and standard error says why.
bool explain_lanes(const std::string& socket, std::span<const route::Choice> choices,
                   std::string_view routing_sender, std::string& out);

}  // namespace relayd::command
