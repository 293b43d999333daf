// Lane commands: what the operator does to lanes, by `relayd lane` and `relayd queue retry`.
//
// Beside the path; the relay hands them to the admin socket through the dispatcher, which owns the lanes.
#pragma once

#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "relay/lanes.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

// Ends the pause of every lane that the message may take: it is tried at once.
void clear_way(Lanes& lanes, const queue::Message& message);

// Stops the lanes of an upstream (of one account; empty: of all), or lets them go on. Makes those that are
// not there yet. Returns their user names, sorted; none: no rule leads there.
std::vector<std::string> steer(Lanes& lanes, telemetry::Log& log, const std::string& upstream,
                               const std::string& account, bool stops);

}  // namespace relayd
