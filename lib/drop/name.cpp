#include "drop/name.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace relayd::drop {

namespace {
constexpr std::size_t time_digits = 16;
constexpr std::size_t random_digits = 32;
}  // namespace

std::string make_name(WallTime now) {
  std::uint64_t random[2];
  if (::getrandom(random, sizeof random, 0) != sizeof random)
    throw std::system_error(errno, std::generic_category(), "getrandom");
  return fmt::format("{:016x}-{:016x}{:016x}", static_cast<std::uint64_t>(now.time_since_epoch().count()),
                     random[0], random[1]);
}

bool is_name(std::string_view name) {
  const auto is_hex = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return name.size() == time_digits + 1 + random_digits && name[time_digits] == '-' &&
         std::all_of(name.begin(), name.begin() + time_digits, is_hex) &&
         std::all_of(name.begin() + time_digits + 1, name.end(), is_hex);
}

}  // namespace relayd::drop
