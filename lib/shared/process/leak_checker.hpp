// Whether this build looks for leaks at its end: it traces itself then. Private to this room.
#pragma once

namespace relayd::process {

#ifdef __SANITIZE_ADDRESS__
inline constexpr bool leak_checker = true;
#else
inline constexpr bool leak_checker = false;
#endif

}  // namespace relayd::process
