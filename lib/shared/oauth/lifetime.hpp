// When a token is renewed, by how long it lives from the reply on.
//
// Pure. Times are seconds of the steady clock.
#pragma once

#include <algorithm>
#include <chrono>

namespace relayd::oauth {

inline constexpr std::chrono::seconds lead{600};
inline constexpr std::chrono::seconds most_spread{60};

// From the reply until it is renewed; `spread` is up to most_spread, by chance.
constexpr std::chrono::seconds renew_after(std::chrono::seconds life, std::chrono::seconds spread) {
  return std::max(life - lead - spread, life / 2);
}
// With less than that left it is renewed before a login.
constexpr std::chrono::seconds least_left(std::chrono::seconds life) {
  return std::min(lead, life / 2);
}

}  // namespace relayd::oauth
