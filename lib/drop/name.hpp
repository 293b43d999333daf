// The names of files in the drop folder. Both ends use this file, so that they cannot drift apart.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/time.hpp"

namespace relayd::drop {

// Begins the name of a file that is still being written.
inline constexpr std::string_view unfinished = "new-";
// Begins the name of what was set aside.
inline constexpr std::string_view refused = "refused-";

// A name that nobody can guess, "00064d6f2c1a9b40-8f…": names sort by the time they were made.
std::string make_name(WallTime now);
bool is_name(std::string_view name);

}  // namespace relayd::drop
