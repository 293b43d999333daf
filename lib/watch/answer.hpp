// The lines that the operator's window answers with.
//
// Beside the path; written by Admin, read by the commands of the executable. Values in, text out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "shared/base/time.hpp"

namespace relayd::watch {

// With '\n'. What is not UTF-8 is replaced: a reply of a stranger must not cost the answer.
std::string line_of(const nlohmann::json& object);

// ISO 8601, to the second: "2026-11-20T07:31:42Z".
std::string time_text(WallTime when);

}  // namespace relayd::watch
