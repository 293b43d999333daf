// What `relayd status` and `relayd lane list` share.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "commands.hpp"

namespace relayd::command {

// The daemon's answer to "status", a line of JSON. Nothing: it was said why on standard error, and
// `exit_code` is set.
std::optional<std::string> ask_status(const Options& options, int& exit_code);

// One lane of that answer; `now` is the answer's time.
void print_lane(const nlohmann::json& lane, const std::string& now);

}  // namespace relayd::command
