// A start without a file: its variables, its words, and the file that it means.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/config/config.hpp"

namespace relayd::config {

// Every variable that relayd knows.
std::vector<std::string_view> environment_variables();

// Stands for the file where there is none.
inline constexpr std::string_view environment_name = "environment";

// Complaints of a start without a file speak of variables where those of a file speak of keys. Where `file`
// is one, only those do that are of listeners which variables have made.
void speak_of_variables(std::string_view file, std::vector<Diagnostic>& diagnostics);

// The file that the RELAYD_* variables mean: reading it gives what load_environment() gives. Secrets stay
// where they are, and it names their variables. An error: there is no such start.
Result<std::string> file_of_environment(const Environment& environment);

}  // namespace relayd::config
