// The command line of the commands that set relayd up, and try it: those that ask no daemon.
//
// Each function adds its commands, which leave their exit status. `options` and `status` outlive the app.
#pragma once

#include <CLI/CLI.hpp>
#include <chrono>
#include <string>

#include "commands.hpp"
#include "import_postfix.hpp"
#include "init.hpp"

namespace relayd::command {

// demo, presets
void add_demo(CLI::App& app, Options& options, int& status);
void add_sandbox(CLI::App& app, Options& options, int& status);
// dkim keygen, dns
void add_signing(CLI::App& app, Options& options, int& status);
void add_doctor(CLI::App& app, Options& options, int& status);
void add_init(CLI::App& app, InitOptions& options, int& status);
void add_import(CLI::App& app, ImportOptions& options, int& status);

// What an option says, such as 30s; throws CLI::ValidationError.
std::chrono::milliseconds parse_duration(const char* option, const std::string& text);

}  // namespace relayd::command
