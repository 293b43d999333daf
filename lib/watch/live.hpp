// How a relay stands, as the page follows it: one document, and what has changed in it.
//
// Beside the path; told by Events, asked for by Web. Pure, so that a thread may do it.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>

#include "watch/status.hpp"

namespace relayd::watch {

// Of many lanes those in the most trouble.
inline constexpr std::size_t most_lanes_followed = 200;

// {"status": as `relayd status --json` without its lanes, "lanes": {"UPSTREAM ACCOUNT": as there…},
// "lanes_total": n}
nlohmann::json live_document(Status status);

// The merge patch (RFC 7396) that makes `after` of `before`; null: nobody need be told. That time has passed
// is no change.
nlohmann::json changes_between(const nlohmann::json& before, const nlohmann::json& after);

struct LaneFilter {
  std::string upstream = {};  // empty: any
  std::string account = {};   // likewise
  bool trouble = false;       // only lanes that are in some
  std::size_t limit = 0;      // 0: all
};
// {"lanes": […], "total": how many fit} in one line, in order of trouble.
std::string lanes_line(Status status, const LaneFilter& filter);

}  // namespace relayd::watch
