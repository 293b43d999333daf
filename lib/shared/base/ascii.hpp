// ASCII: the letters, digits and case of protocols, where no locale may interfere.
//
// Stands under every room. Octets above 127 are left alone: they are neither letters nor digits here.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace relayd::ascii {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}
constexpr bool is_ascii(char c) {
  return static_cast<unsigned char>(c) < 0x80;
}
constexpr bool is_blank(char c) {
  return c == ' ' || c == '\t';
}
constexpr bool is_white_space(char c) {
  return is_blank(c) || c == '\r' || c == '\n';
}
constexpr char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}
constexpr char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}

// The value of a hexadecimal digit of either case; -1 when it is none.
constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char folded = lower(c);
  return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

inline std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = lower(c);
  return result;
}
inline std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = upper(c);
  return result;
}

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}
constexpr bool contains_ignoring_case(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char x, char y) { return lower(x) == lower(y); }) != text.end();
}
// What trimmed() leaves off.
inline constexpr std::string_view blanks = " \t";            // WSP (RFC 5234 B.1)
inline constexpr std::string_view white_space = " \t\r\n";   // with the line ends of what is folded
inline constexpr std::string_view line_space = " \t\r\v\f";  // isspace(3) of C, within a line

// The text without such characters at either end.
constexpr std::string_view trimmed(std::string_view text, std::string_view characters) {
  text.remove_prefix(std::min(text.find_first_not_of(characters), text.size()));
  return text.substr(0, text.find_last_not_of(characters) + 1);
}

// Eight octets at a time: it is asked of whole messages.
inline bool all_ascii(std::string_view text) {
  constexpr std::uint64_t high_bits = 0x8080808080808080;
  for (std::uint64_t octets = 0; text.size() >= sizeof octets; text.remove_prefix(sizeof octets)) {
    std::memcpy(&octets, text.data(), sizeof octets);
    if ((octets & high_bits) != 0) return false;
  }
  return std::all_of(text.begin(), text.end(), is_ascii);
}

}  // namespace relayd::ascii
