// advice(): what the operator can do about a token server's refusal.
//
// Pure; one table.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "shared/config/oauth2.hpp"
#include "shared/oauth/reply.hpp"

namespace relayd::oauth {

struct Asked {
  std::string upstream;
  std::string user;
  std::string scope;
  std::string thumbprint;                         // of the client's certificate, in hex; empty: it has none
  std::optional<std::chrono::seconds> skew = {};  // our clock is ahead by that
};

// Sentences; empty: none is known.
std::string advice(const Refusal& refusal, const config::OAuth2& oauth2, const Asked& asked);

}  // namespace relayd::oauth
