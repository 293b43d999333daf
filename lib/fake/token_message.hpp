// Token message: what a client says in XOAUTH2 and OAUTHBEARER (RFC 7628 3.1), as a server reads it.
//
// Beside the path; for Dialogue. Pure. What a client of ours writes is in shared/sasl/bearer.hpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "shared/sasl/mechanism.hpp"

namespace relayd::fake {

struct TokenMessage {
  std::string username;
  std::string token;
};

// Of base64. Nothing where it is no message of the mechanism, which takes tokens: it has a username, and one
// token that may be one (RFC 6750). Of what else OAUTHBEARER tells nothing is kept.
std::optional<TokenMessage> read_token_message(sasl::Mechanism mechanism, std::string_view base64);

}  // namespace relayd::fake
