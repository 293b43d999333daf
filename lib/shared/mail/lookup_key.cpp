#include "shared/mail/lookup_key.hpp"

#include <optional>

#include "shared/base/ascii.hpp"
#include "shared/mail/a_label.hpp"
#include "shared/mail/address.hpp"

namespace relayd::mail {

namespace {

// What stands in the quotes of a Quoted-string (RFC 5321 4.1.2); nothing: it is none, or none as a whole.
std::optional<std::string> quoted_text(std::string_view local_part) {
  if (local_part.size() < 2 || local_part.front() != '"') return std::nullopt;
  std::string text;
  for (std::size_t i = 1; i < local_part.size(); ++i) {
    if (local_part[i] == '"')
      return i + 1 == local_part.size() ? std::optional(std::move(text)) : std::nullopt;
    if (local_part[i] == '\\' && ++i == local_part.size()) break;
    text += local_part[i];
  }
  return std::nullopt;
}

bool needs_quotes(std::string_view text) {
  return text.starts_with('"') || split(text).local_part.size() != text.size() ||
         check_address(text, true) == AddressFault::syntax;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result += '"';
}

}  // namespace

std::string lookup_spelling(std::string_view address) {
  const auto [local_part, domain] = split(address);
  std::string result;
  if (const std::optional<std::string> text = quoted_text(local_part))
    result = needs_quotes(*text) ? quoted(*text) : *text;
  else
    result = local_part;
  if (local_part.size() == address.size()) return result;
  return result.append("@").append(a_labels(domain));
}

std::string lookup_key(std::string_view address) {
  const bool is_plain = !address.starts_with('"') && ascii::all_ascii(address);
  return is_plain ? ascii::lower(address) : ascii::lower(lookup_spelling(address));
}

}  // namespace relayd::mail
