#include "shared/mail/a_label.hpp"

#include <idn2.h>

#include <algorithm>
#include <cstdint>
#include <memory>

#include "shared/base/ascii.hpp"

namespace relayd::mail {

namespace {

constexpr std::size_t max_domain = 255;  // RFC 1035 2.3.4

// Some characters are mapped to nothing, or to what no label has in it, such as '@'.
bool are_labels(std::string_view domain) {
  if (domain.ends_with('.')) domain.remove_suffix(1);
  for (;;) {
    const std::size_t dot = domain.find('.');
    if (!is_label(domain.substr(0, dot))) return false;
    if (dot == domain.npos) return true;
    domain.remove_prefix(dot + 1);
  }
}

std::optional<std::string> encoded(std::string_view domain) {
  if (domain.size() > max_domain || domain.find('\0') != domain.npos) return std::nullopt;
  const std::string text(domain);
  std::uint8_t* found = nullptr;
  const int fault = idn2_lookup_u8(reinterpret_cast<const std::uint8_t*>(text.c_str()), &found,
                                   IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<std::uint8_t, void (*)(void*)> owner(found, idn2_free);
  if (fault != IDN2_OK) return std::nullopt;
  std::string name(reinterpret_cast<const char*>(found));
  if (name.ends_with('.') && !domain.ends_with('.')) name.pop_back();  // of another script, or before nothing
  if (!ascii::all_ascii(name) || !are_labels(name)) return std::nullopt;
  return name;
}

// The last answer is kept: the same domain is asked about several times for each recipient.
const std::optional<std::string>& known(std::string_view domain) {
  thread_local std::string asked;
  thread_local std::optional<std::string> answer;
  if (asked != domain) {
    answer = encoded(domain);
    asked = domain;
  }
  return answer;
}

}  // namespace

bool is_label(std::string_view text) {
  const auto allowed = [](char c) {
    return ascii::is_letter(c) || ascii::is_digit(c) || c == '-' || c == '_' || !ascii::is_ascii(c);
  };
  return !text.empty() && text.front() != '-' && text.back() != '-' && std::ranges::all_of(text, allowed);
}

std::optional<std::string> dns_name(std::string_view domain) {
  return ascii::all_ascii(domain) ? ascii::lower(domain) : known(domain);
}

std::string a_labels(std::string_view domain) {
  if (ascii::all_ascii(domain)) return ascii::lower(domain);
  const std::string_view parent = domain.starts_with("*.") ? domain.substr(2) : domain;
  const std::optional<std::string>& name = known(parent);
  if (!name) return ascii::lower(domain);
  return std::string(domain.substr(0, domain.size() - parent.size())) + *name;
}

}  // namespace relayd::mail
