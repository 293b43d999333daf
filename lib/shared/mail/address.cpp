#include "shared/mail/address.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/utf8.hpp"

namespace relayd::mail {

namespace {

constexpr std::size_t max_local_part = 64;  // RFC 5321 4.5.3.1.1
constexpr std::size_t max_domain = 255;     // RFC 5321 4.5.3.1.2

// Length of the Quoted-string at the beginning of the text, or npos when it has no end.
std::size_t quoted_length(std::string_view text) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == '"')
      return i + 1;
  }
  return std::string_view::npos;
}

// RFC 5322 3.2.3, and what RFC 6531 3.3 adds.
bool is_atext(char c) {
  constexpr std::string_view specials = "!#$%&'*+-/=?^_`{|}~";
  return ascii::is_letter(c) || ascii::is_digit(c) || !ascii::is_ascii(c) ||
         specials.find(c) != std::string_view::npos;
}

bool is_local_part(std::string_view text) {
  if (text.empty() || text.front() == '-') return false;
  if (text.front() == '"') return quoted_length(text) == text.size();
  return std::all_of(text.begin(), text.end(), [](char c) { return is_atext(c) || c == '.'; });
}

// RFC 5321 4.1.3. What the literal says is for the host that is asked to deliver to it.
bool is_address_literal(std::string_view text) {
  if (text.size() < 3 || text.back() != ']') return false;
  const std::string_view inside = text.substr(1, text.size() - 2);
  return std::all_of(inside.begin(), inside.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '[' && c != '\\' && c != ']' && c != '<' && c != '>';
  });
}

bool is_domain(std::string_view text) {
  if (text.empty()) return false;
  if (text.front() == '[') return is_address_literal(text);
  for (;;) {
    const std::size_t dot = text.find('.');
    if (!is_label(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

AddressFault check_octets(std::string_view text, bool allow_utf8) {
  while (!text.empty()) {
    if (ascii::is_ascii(text.front())) {
      if (ascii::is_control(text.front())) return AddressFault::syntax;
      text.remove_prefix(1);
      continue;
    }
    if (!allow_utf8) return AddressFault::needs_utf8;
    const auto point = first_code_point(text);
    if (!point || is_invisible_control(point->value)) return AddressFault::bad_unicode;
    text.remove_prefix(point->octets);
  }
  return AddressFault::none;
}

}  // namespace

Parts split(std::string_view address) {
  std::size_t from = 0;
  if (!address.empty() && address.front() == '"') from = quoted_length(address);
  if (from == std::string_view::npos) return {address, {}};
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos || at < from) return {address, {}};
  return {address.substr(0, at), address.substr(at + 1)};
}

std::string folded_domain(std::string_view address) {
  return a_labels(split(address).domain);
}

std::string without_tag(std::string_view address) {
  const Parts parts = split(address);
  const std::size_t plus = parts.local_part.find('+');
  const bool tagged = plus != std::string_view::npos && plus != 0 && parts.local_part.front() != '"';
  if (!tagged) return std::string(address);
  std::string result(parts.local_part.substr(0, plus));
  return result.append(address.substr(parts.local_part.size()));
}

std::string qualified(std::string_view address, std::string_view origin) {
  std::string result(address);
  const bool complete = address.empty() || origin.empty() || !split(address).domain.empty();
  return complete ? result : result.append("@").append(origin);
}

AddressFault check_address(std::string_view address, bool allow_utf8) {
  if (const AddressFault fault = check_octets(address, allow_utf8); fault != AddressFault::none) return fault;
  const Parts parts = split(address);
  if (!is_local_part(parts.local_part)) return AddressFault::syntax;
  const bool qualified = parts.local_part.size() < address.size();
  if (qualified && !is_domain(parts.domain)) return AddressFault::syntax;
  if (parts.local_part.size() > max_local_part || parts.domain.size() > max_domain)
    return AddressFault::too_long;
  const bool has_name = ascii::all_ascii(parts.domain) || dns_name(parts.domain);
  return has_name ? AddressFault::none : AddressFault::bad_domain;
}

}  // namespace relayd::mail
