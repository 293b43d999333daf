// How a lane is shown to a person: whole, or as a row of a table. Values in, lines out.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace relayd::command {

// The two largest units, as one would say it.
std::string span(std::int64_t seconds);
std::string span(const nlohmann::json& object, const char* key);
// "2026-11-20T14:03:22Z" without what it has in common with now.
std::string moment(const std::string& when, const std::string& now);

// "ses as app".
std::string lane_name(const nlohmann::json& lane);
// A lane of the answer to "status", whose time is `now`: lines, each with '\n'.
std::string lane_text(const nlohmann::json& lane, const std::string& now);

// Lanes, a line each, with '\n'.
std::string lane_table(const nlohmann::json& lanes);

}  // namespace relayd::command
