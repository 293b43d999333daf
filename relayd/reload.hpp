// What the commands share that have the daemon read its configuration again.
#pragma once

#include <optional>
#include <string>

namespace relayd::command {

// Asks the daemon of that admin socket, waits until it has done so, and prints what is wrong on standard
// error and what takes effect later on standard output. The exit status: taken, or the old one stays.
// Nothing: no daemon answers there, errno says why.
std::optional<int> reload_at(const std::string& socket);

}  // namespace relayd::command
