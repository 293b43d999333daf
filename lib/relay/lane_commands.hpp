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

// Stops the upstream's lanes, or has them go on; an empty account: all of them. Returns their accounts.
std::vector<std::string> steer(Lanes& lanes, telemetry::Log& log, const std::string& upstream,
                               const std::string& account, bool stops);

}  // namespace relayd
