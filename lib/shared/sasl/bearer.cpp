#include "shared/sasl/bearer.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/base64.hpp"

namespace relayd::sasl {

namespace {

constexpr std::size_t longest_token = 16 * 1024;
constexpr std::size_t longest_refusal = 512;

bool is_token_octet(char c) {
  return ascii::is_letter(c) || ascii::is_digit(c) ||
         std::string_view("._~+/=-").find(c) != std::string_view::npos;
}

// A saslname (RFC 5801 4).
std::string saslname(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == '=')
      text += "=3D";
    else if (c == ',')
      text += "=2C";
    else
      text += c;
  }
  return text;
}

}  // namespace

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= longest_token && std::ranges::all_of(text, is_token_octet);
}

Result<Secret> bearer_message(Mechanism mechanism, const Bearer& bearer) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (bearer.username.empty() || std::ranges::any_of(bearer.username, is_control))
    return Error{fmt::format("{} needs a username without control characters", wire_name(mechanism))};
  if (!is_token(bearer.token.reveal()))
    return Error{"what is to be the access token has octets that no token has, or is longer than 16 KiB"};
  std::string message = mechanism == Mechanism::oauthbearer
                            ? fmt::format("n,a={},\1host={}\1port={}\1auth=Bearer ",
                                          saslname(bearer.username), bearer.host, bearer.port)
                            : fmt::format("user={}\1auth=Bearer ", bearer.username);
  message.reserve(message.size() + bearer.token.reveal().size() + 2);
  message.append(bearer.token.reveal()).append("\1\1");
  Secret encoded(base64::encode(message));
  wipe(message);
  return encoded;
}

std::string bearer_refusal(std::string_view challenge) {
  const std::string_view start = challenge.substr(0, longest_refusal / 3 * 4);
  const std::optional<std::string> octets = base64::decode(start.substr(0, start.size() / 4 * 4));
  return octets ? *octets : std::string(challenge.substr(0, longest_refusal));
}

}  // namespace relayd::sasl
