// How a running relay is shown to a person: what needs one first, then the queue, then its lanes. Values in,
// text out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"

namespace relayd::command {

// Of the answer to "status" what is asked for: one upstream, one account, what is in trouble.
void narrow(nlohmann::json& status, const Options& options);
// What is asked for and is not there, in words; empty: nothing. Of accounts only those that were used are
// known.
std::string missing_of(const nlohmann::json& status, const Options& options);

// All of it, lines with '\n'. `as_table`: each lane is one line however few there are.
std::string status_text(const nlohmann::json& status, bool as_table);

// One line for monitoring without '\n', and the exit status that goes with it.
struct Verdict {
  int exit_code;
  std::string text;
};
Verdict verdict_of(const nlohmann::json& status);
Verdict verdict_without_daemon(const std::string& why);

}  // namespace relayd::command
