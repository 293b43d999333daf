// What the command line says of itself: `relayd help`, words that are no commands or options, and
// completions.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace relayd::command {

// Answers `help`, `help COMMAND…`, a command line without its command, and one with an unknown word. Returns
// the exit status; nothing: there is a command, and `app` may read the line.
std::optional<int> help(const CLI::App& app, const std::vector<std::string_view>& words);

// Complains of the first option that the line's command does not have, once `app` has refused the line. The
// exit status; nothing: it has them all.
std::optional<int> unknown_option(const CLI::App& app, const std::vector<std::string_view>& words);

// relayd help, relayd completion
void add_help(CLI::App& app, int& status);

}  // namespace relayd::command
