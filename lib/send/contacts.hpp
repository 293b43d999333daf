// Contacts: what came of the connections to an upstream since the start, for the metrics.
//
// Fifth stage of the path; owned by the site, counted by the connections of its lanes, on the loop's thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "shared/async/handshakes.hpp"
#include "shared/smtp/stage.hpp"

namespace relayd::send {

struct Contacts {
  std::uint64_t opened = 0;  // ready for mail
  // By the stage that failed, up to the login; not those that we ended ourselves.
  std::array<std::uint64_t, static_cast<std::size_t>(smtp::Stage::auth) + 1> failed{};
  async::Handshakes tls;
  // When the certificate that a server showed last ends, whether or not it was believed; nothing: none yet.
  std::optional<WallTime> certificate_until;
};

}  // namespace relayd::send
