// The servers that DNS names at this moment for the upstreams of a route, for `relayd explain`.
#pragma once

#include <span>
#include <string>

#include "route/router.hpp"

namespace relayd::command {

// A line for each upstream whose servers DNS names: these, in an order that they may be tried in, or why
// nobody knows them. DNS is waited for some seconds at most. What it says is not escaped.
std::string explain_servers(std::span<const route::Choice> choices, const std::string& hostname);

}  // namespace relayd::command
