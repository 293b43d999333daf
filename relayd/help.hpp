// What the command line says of itself: `relayd help`, and words that are no commands.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace relayd::command {

// Answers `help`, `help COMMAND…`, a command line without its command, and one with a word that is none. The
// exit status; nothing: there is a command, and `app` may read the line.
std::optional<int> help(const CLI::App& app, const std::vector<std::string_view>& words);

}  // namespace relayd::command
