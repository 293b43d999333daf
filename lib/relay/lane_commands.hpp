// Lane commands: what the operator does to lanes, by `relayd lane` and `relayd queue retry`.
//
// Beside the path; the relay hands them to the admin socket through the dispatcher, which owns the lanes.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "relay/lanes.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

// Ends the pause of each of these lanes: what waits is tried at once.
void clear_way(Lanes& lanes, std::span<const route::Choice> choices, std::string_view routing_sender);

// Stops the lanes of an upstream (of one account; empty: of all), or lets them go on. Makes those that are
// not there yet. Returns their user names, sorted; none: no rule leads there.
std::vector<std::string> steer(Lanes& lanes, telemetry::Log& log, const std::string& upstream,
                               const std::string& account, bool stops, WallTime now);

}  // namespace relayd
