// Bearer: what a client says in XOAUTH2 and OAUTHBEARER (RFC 7628), which log in with an access token (RFC
// 6750).
//
// Stands under send. Pure. The message goes after the server's 334: an AUTH command that holds it would be
// longer than a line may be (RFC 4954 4). Whatever the server asks after that is a refusal, which the client
// answers before the server says its code.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"
#include "shared/sasl/mechanism.hpp"

namespace relayd::sasl {

struct Bearer {
  std::string username;
  Secret token;
  std::string host;  // as the client knows the server; only OAUTHBEARER tells it
  std::uint16_t port = 0;
};

// Whether a text may be sent as an access token: 1 octet to 16 KiB of RFC 6750 2.1.
bool is_token(std::string_view text);

// The message, base64. An error: the username or the token cannot be written.
Result<Secret> bearer_message(Mechanism mechanism, const Bearer& bearer);

// What answers a refusal, base64.
constexpr std::string_view bearer_dismissal(Mechanism mechanism) {
  return mechanism == Mechanism::oauthbearer ? "AQ==" : "";  // RFC 7628 3.2.3
}

// What a refusal's challenge says, for people: at most 512 octets, decoded where it is base64. Not escaped.
std::string bearer_refusal(std::string_view challenge);

}  // namespace relayd::sasl
