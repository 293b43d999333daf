#include "shared/config/pin.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

namespace relayd::config {

namespace {

constexpr std::size_t pin_size = 32;  // octets of a SHA-256
constexpr std::string_view hex_digits = "0123456789abcdef";
constexpr std::string_view base64_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Digits of `bits` bits each to octets; empty when one is none. Bits that fill no octet must be zero.
std::string decode(std::string_view text, std::string_view digits, unsigned bits) {
  std::string octets;
  std::uint32_t held = 0;
  unsigned held_bits = 0;
  for (const char c : text) {
    const std::size_t digit = digits.find(c);
    if (digit == std::string_view::npos) return {};
    held = held << bits | static_cast<std::uint32_t>(digit);
    held_bits += bits;
    if (held_bits < 8) continue;
    held_bits -= 8;
    octets += static_cast<char>(held >> held_bits);
    held &= (1U << held_bits) - 1;
  }
  return held == 0 ? octets : std::string();
}

}  // namespace

Result<std::string> parse_pin(std::string_view text) {
  constexpr std::size_t base64_size = 43;  // and one "="
  if (text.size() == base64_size + 1 && text.back() == '=')
    if (std::string pin = decode(text.substr(0, base64_size), base64_digits, 6); pin.size() == pin_size)
      return pin;
  std::string digits(text);
  std::erase(digits, ':');
  std::ranges::transform(digits, digits.begin(),
                         [](char c) { return c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (digits.size() == 2 * pin_size)
    if (std::string pin = decode(digits, hex_digits, 4); pin.size() == pin_size) return pin;
  return Error{fmt::format("'{}' is not a pin: 32 octets in base64 (44 characters) or in hexadecimal", text)};
}

}  // namespace relayd::config
