#include "fake/token_message.hpp"

#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/base/base64.hpp"
#include "shared/sasl/bearer.hpp"

namespace relayd::fake {

namespace {

constexpr char separator = '\1';

// Up to the separator, which is dropped with it. Nothing: there is none.
std::optional<std::string_view> take_field(std::string_view& text) {
  const std::size_t end = text.find(separator);
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end + 1);
  return field;
}

// Without its beginning, in any case of letters.
bool drop_beginning(std::string_view& text, std::string_view beginning) {
  if (!ascii::equal_ignoring_case(text.substr(0, beginning.size()), beginning)) return false;
  text.remove_prefix(beginning.size());
  return true;
}

// A saslname (RFC 5801 4).
std::optional<std::string> read_saslname(std::string_view text) {
  std::string name;
  while (!text.empty()) {
    const bool is_comma = text.starts_with("=2C");
    if (text.front() == ',' || (text.front() == '=' && !is_comma && !text.starts_with("=3D")))
      return std::nullopt;
    const bool escaped = text.front() == '=';
    name += !escaped ? text.front() : is_comma ? ',' : '=';
    text.remove_prefix(escaped ? 3 : 1);
  }
  return name;
}

// "user=NAME", or the header of OAUTHBEARER: "n,a=NAME,".
std::optional<std::string> read_username(sasl::Mechanism mechanism, std::string_view field) {
  if (mechanism == sasl::Mechanism::xoauth2)
    return drop_beginning(field, "user=") ? std::optional(std::string(field)) : std::nullopt;
  if (!drop_beginning(field, "n,a=") || !field.ends_with(',')) return std::nullopt;
  return read_saslname(field.substr(0, field.size() - 1));
}

}  // namespace

std::optional<TokenMessage> read_token_message(sasl::Mechanism mechanism, std::string_view base64) {
  const std::optional<std::string> octets = base64::decode(base64);
  if (!octets) return std::nullopt;
  std::string_view rest = *octets;
  const std::optional<std::string_view> first = take_field(rest);
  if (!first) return std::nullopt;
  std::optional<std::string> username = read_username(mechanism, *first);
  if (!username || username->empty()) return std::nullopt;
  TokenMessage message{std::move(*username), ""};
  std::optional<std::string_view> field = take_field(rest);
  for (; field && !field->empty(); field = take_field(rest)) {
    if (!drop_beginning(*field, "auth=Bearer ")) continue;
    if (!message.token.empty() || !sasl::is_token(*field)) return std::nullopt;
    message.token = *field;
  }
  // An empty field ends the message.
  if (!field || !rest.empty() || message.token.empty()) return std::nullopt;
  return message;
}

}  // namespace relayd::fake
