// What the command line of relayd says of itself, as values: the page docs/commands.md and the completions of
// shells are made from them, and nothing else is.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace relayd::command {

struct OptionFacts {
  std::vector<std::string> names;  // "-c", "--config"; empty: an argument
  std::string value;               // "FILE"; empty: a flag
  std::vector<std::string> words;  // that the value may be; empty: any
  bool required = false;
  bool repeated = false;  // several values may be given
  std::string says;
};

struct CommandFacts {
  std::string path;  // "queue list"; empty: relayd itself
  std::string says;
  // Of its footer: the lines that begin with "Example: " and "Exit codes: ", and all others.
  std::string example;
  std::string exit_codes;
  std::string more;
  std::vector<OptionFacts> options;    // but for --help and --help-all, which all have
  std::vector<OptionFacts> arguments;  // in their order
  std::vector<std::string> commands;   // below it: "list", "show"
};

// relayd itself, then all commands by their names; commands below another one stand behind it.
std::vector<CommandFacts> command_tree(const CLI::App& app);

}  // namespace relayd::command
