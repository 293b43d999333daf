// How many of what, as one says it: "1 rule", "2 rules". Stands under every room.
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <string>
#include <string_view>

namespace relayd {

// `noun` is in the singular, with an "s" for more.
template <std::integral Count>
std::string counted(Count count, std::string_view noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

}  // namespace relayd
