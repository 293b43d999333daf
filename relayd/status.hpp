// What `relayd status`, `relayd lane list` and `relayd explain --live` share.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "commands.hpp"

namespace relayd::command {

// The daemon's answer to "status", an object with its queue, or that it starts. Nothing: `why` says it.
struct Standing {
  std::optional<nlohmann::json> status;
  std::string why = {};
};
Standing ask_status(const std::string& address, std::chrono::seconds patience = std::chrono::seconds(30));

// The same, narrowed to what the options ask for. Nothing: it was said why on standard error, and `exit_code`
// is set.
std::optional<nlohmann::json> ask_status(const Options& options, int& exit_code);

// `relayd status --watch`: the same again and again, until q or a signal.
int watch_status(const Options& options, const std::string& address);

}  // namespace relayd::command
