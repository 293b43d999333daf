// The command line of the commands that ask the daemon, or read what it keeps; the others' is in main.cpp and
// setup_commands.cpp.
#pragma once

#include <CLI/CLI.hpp>

#include "commands.hpp"

namespace relayd::command {

// Where the daemon is that a command asks: -c and --socket.
CLI::App* add_place(CLI::App* action, Options& options);

void add_probes(CLI::App& app, Options& options, int& status);
void add_status(CLI::App& app, Options& options, int& status);
void add_queue(CLI::App& app, Options& options, int& status);
void add_lane(CLI::App& app, Options& options, int& status);
void add_suppress(CLI::App& app, Options& options, int& status);
void add_queue_files(CLI::App& app, Options& options, int& status);  // below add_queue's command
void add_oauth(CLI::App& app, Options& options, int& status);
void add_history(CLI::App& app, Options& options, int& status);

}  // namespace relayd::command
