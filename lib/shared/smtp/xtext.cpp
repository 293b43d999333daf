#include "shared/smtp/xtext.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

#include "shared/base/ascii.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::smtp {

namespace {

bool is_xchar(char c) {
  return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

// RFC 3461 4: hexchar digits are upper case.
int hexchar_value(char c) {
  return c >= 'a' ? -1 : ascii::hex_value(c);
}

}  // namespace

std::string encode_xtext(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (is_xchar(c))
      result += c;
    else
      result += fmt::format("+{:02X}", static_cast<unsigned char>(c));
  }
  return result;
}

std::string encode_utf8_xtext(std::string_view address) {
  std::string result;
  while (!address.empty()) {
    const auto code_point = mail::first_code_point(address);
    const char c = address.front();
    if (is_xchar(c) && c != '\\')
      result += c;
    else
      fmt::format_to(std::back_inserter(result), "\\x{{{:02X}}}",
                     code_point ? static_cast<std::uint32_t>(code_point->value) : 0xfffd);
    address.remove_prefix(code_point ? code_point->octets : 1);
  }
  return result;
}

std::optional<std::string> decode_xtext(std::string_view xtext) {
  std::string result;
  for (std::size_t i = 0; i < xtext.size(); ++i) {
    char c = xtext[i];
    if (c == '+') {
      if (xtext.size() - i < 3) return std::nullopt;
      const int high = hexchar_value(xtext[i + 1]);
      const int low = hexchar_value(xtext[i + 2]);
      if (high < 0 || low < 0) return std::nullopt;
      c = static_cast<char>(high * 16 + low);
      i += 2;
    } else if (!is_xchar(c)) {
      return std::nullopt;
    }
    if (ascii::is_control(c)) return std::nullopt;
    result += c;
  }
  return result;
}

}  // namespace relayd::smtp
