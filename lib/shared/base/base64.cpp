#include "shared/base/base64.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "shared/base/secret.hpp"

namespace relayd::base64 {

namespace {

constexpr std::size_t group = 3;         // octets
constexpr std::size_t group_digits = 4;  // that stand for them
constexpr std::uint32_t no_digit = 64;

// All bits where first <= value <= last, else none; all of them are below 2^31.
constexpr std::uint32_t within(std::uint32_t value, std::uint32_t first, std::uint32_t last) {
  const std::uint32_t outside = (value - first) | (last - value);  // its highest bit
  return (outside >> 31) - 1;
}

// The five ranges of digits.
struct Range {
  std::uint32_t first_value;
  std::uint32_t first_letter;
  std::uint32_t size;
};
constexpr Range ranges[] = {{0, 'A', 26}, {26, 'a', 26}, {52, '0', 10}, {62, '+', 1}, {63, '/', 1}};

char letter_of(std::uint32_t value) {
  std::uint32_t letter = 0;
  for (const auto [first, first_letter, size] : ranges)
    letter |= within(value, first, first + size - 1) & (value - first + first_letter);
  return static_cast<char>(letter);
}

std::uint32_t value_of(char letter) {
  const std::uint32_t octet = static_cast<unsigned char>(letter);
  std::uint32_t value = 0;
  std::uint32_t known = 0;
  for (const auto [first, first_letter, size] : ranges) {
    const std::uint32_t here = within(octet, first_letter, first_letter + size - 1);
    value |= here & (octet - first_letter + first);
    known |= here;
  }
  return value | (~known & no_digit);
}

struct Digits {
  std::string octets = {};
  std::size_t count = 0;        // of the digits
  std::uint32_t left_over = 0;  // bits that fill no octet
};

// Those that the text begins with.
Digits read_digits(std::string_view text) {
  Digits read;
  read.octets.reserve(text.size() / group_digits * group + group);
  unsigned bits = 0;
  for (const char letter : text) {
    const std::uint32_t value = value_of(letter);
    if (value == no_digit) break;
    ++read.count;
    read.left_over = read.left_over << 6 | value;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    read.octets += static_cast<char>(read.left_over >> bits);
    read.left_over &= (1U << bits) - 1;
  }
  return read;
}

}  // namespace

std::string encode(std::string_view octets) {
  std::string text;
  text.reserve((octets.size() + group - 1) / group * group_digits);
  for (; !octets.empty(); octets.remove_prefix(std::min(group, octets.size()))) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < group; ++i)
      bits = bits << 8 | (i < octets.size() ? static_cast<unsigned char>(octets[i]) : 0U);
    for (std::size_t i = 0; i < group_digits; ++i)
      text += i <= octets.size() ? letter_of(bits >> (18 - 6 * i) & 63) : '=';
  }
  return text;
}

std::optional<std::string> decode(std::string_view text) {
  if (text.size() % group_digits != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  Digits read = read_digits(text);
  if (read.count == text.size() && read.left_over == 0) return std::move(read.octets);
  wipe(read.octets);
  return std::nullopt;
}

std::string decode_leniently(std::string_view text) {
  return read_digits(text).octets;
}

}  // namespace relayd::base64
