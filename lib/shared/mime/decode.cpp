#include "shared/mime/decode.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/base/base64.hpp"

namespace relayd::mime {

namespace {

bool is_digit_of_base64(char c) {
  return ascii::is_letter(c) || ascii::is_digit(c) || c == '+' || c == '/';
}

// What is no digit is passed over; padding ends a part, behind which another may stand.
std::string from_base64(std::string_view text) {
  std::string octets, digits;
  const auto end_part = [&] {
    if (!digits.empty()) octets += base64::decode_leniently(digits);
    digits.clear();
  };
  for (const char c : text) {
    if (is_digit_of_base64(c)) digits += c;
    if (c == '=') end_part();
  }
  end_part();
  return octets;
}

// The octet that two digits behind '=' or '%' stand for; -1 when they are none.
int octet_at(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size()) return -1;
  const int high = ascii::hex_value(text[at]), low = ascii::hex_value(text[at + 1]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// A line without its end and the blanks before that, which some server has added (RFC 2045 6.7 (3)).
void add_quoted_printable(std::string& octets, std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const int octet = line[i] == '=' ? octet_at(line, i + 1) : -1;
    octets += octet < 0 ? line[i] : static_cast<char>(octet);
    if (octet >= 0) i += 2;
  }
}

std::string from_quoted_printable(std::string_view text) {
  std::string octets;
  octets.reserve(text.size());
  while (!text.empty()) {
    const std::size_t feed = text.find('\n');
    std::string_view line = text.substr(0, feed);
    text.remove_prefix(feed == std::string_view::npos ? text.size() : feed + 1);
    const std::string_view end = feed == std::string_view::npos ? "" : line.ends_with('\r') ? "\r\n" : "\n";
    line = line.substr(0, line.find_last_not_of(ascii::white_space) + 1);
    const bool is_soft = line.ends_with('=');
    if (is_soft) line.remove_suffix(1);
    add_quoted_printable(octets, line);
    if (!is_soft) octets += end;
  }
  return octets;
}

}  // namespace

Encoding encoding_of(std::string_view word) {
  if (ascii::equal_ignoring_case(word, "base64")) return Encoding::base64;
  if (ascii::equal_ignoring_case(word, "quoted-printable")) return Encoding::quoted_printable;
  return Encoding::none;
}

std::string decode(Encoding encoding, std::string_view text) {
  switch (encoding) {
    case Encoding::base64:
      return from_base64(text);
    case Encoding::quoted_printable:
      return from_quoted_printable(text);
    case Encoding::none:
      break;
  }
  return std::string(text);
}

std::string decode_percent(std::string_view text) {
  std::string octets;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int octet = text[i] == '%' ? octet_at(text, i + 1) : -1;
    octets += octet < 0 ? text[i] : static_cast<char>(octet);
    if (octet >= 0) i += 2;
  }
  return octets;
}

}  // namespace relayd::mime
