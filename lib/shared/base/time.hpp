// Time as relayd uses it: two clocks that are never mixed.
//
// Deadlines and delays are SteadyTime and do not move when somebody sets the clock. What a person or a
// peer reads (log lines, Received fields, records on disk) is WallTime, in microseconds since 1970 UTC.
#pragma once

#include <chrono>

namespace relayd {

using SteadyTime = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

// An absolute moment by which an operation must have ended. Deadline::max() never comes.
using Deadline = SteadyTime;

inline WallTime wall_now() {
  return std::chrono::time_point_cast<std::chrono::microseconds>(std::chrono::system_clock::now());
}

}  // namespace relayd
