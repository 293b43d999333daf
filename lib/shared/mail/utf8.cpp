#include "shared/mail/utf8.hpp"

namespace relayd::mail {

namespace {

struct Lead {
  std::size_t octets;
  char32_t bits;
  char32_t smallest;  // below it the form is overlong
};

std::optional<Lead> read_lead(unsigned char octet) {
  if (octet < 0x80) return Lead{1, octet, 0};
  if (octet >> 5 == 0x06) return Lead{2, octet & 0x1fu, 0x80};
  if (octet >> 4 == 0x0e) return Lead{3, octet & 0x0fu, 0x800};
  if (octet >> 3 == 0x1e) return Lead{4, octet & 0x07u, 0x10000};
  return std::nullopt;
}

}  // namespace

std::optional<CodePoint> first_code_point(std::string_view text) {
  const auto lead = read_lead(static_cast<unsigned char>(text.front()));
  if (!lead || lead->octets > text.size()) return std::nullopt;
  char32_t value = lead->bits;
  for (const char c : text.substr(1, lead->octets - 1)) {
    const auto octet = static_cast<unsigned char>(c);
    if (octet >> 6 != 0x02) return std::nullopt;
    value = value << 6 | (octet & 0x3fu);
  }
  const bool surrogate = value >= 0xd800 && value <= 0xdfff;
  if (value < lead->smallest || value > 0x10ffff || surrogate) return std::nullopt;
  return CodePoint{value, lead->octets};
}

bool is_invisible_control(char32_t c) {
  return c < 0x20 || (c >= 0x7f && c <= 0x9f) || c == 0x061c || c == 0x200e || c == 0x200f ||
         (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

}  // namespace relayd::mail
