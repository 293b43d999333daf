#include "shared/config/pin.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/base/base64.hpp"

namespace relayd::config {

namespace {

constexpr std::size_t pin_size = 32;  // octets of a SHA-256

// Empty when a digit is none, or one is left over.
std::string from_hex(std::string_view digits) {
  std::string octets;
  if (digits.size() % 2 != 0) return octets;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = ascii::hex_value(digits[i]);
    const int low = ascii::hex_value(digits[i + 1]);
    if (high < 0 || low < 0) return {};
    octets += static_cast<char>(high * 16 + low);
  }
  return octets;
}

}  // namespace

Result<std::string> parse_pin(std::string_view text) {
  if (std::optional<std::string> pin = base64::decode(text); pin && pin->size() == pin_size)
    return *std::move(pin);
  std::string digits(text);
  std::erase(digits, ':');
  if (std::string pin = from_hex(digits); pin.size() == pin_size) return pin;
  return Error{fmt::format("'{}' is not a pin: 32 octets in base64 (44 characters) or in hexadecimal", text)};
}

}  // namespace relayd::config
