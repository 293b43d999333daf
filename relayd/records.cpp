#include "records.hpp"

#include <fmt/format.h>

namespace relayd::command {

dns::DkimKey public_half(std::string domain, std::string selector, const crypto::SigningKey& key) {
  const bool rsa = key.type() == crypto::SigningKey::Type::rsa;
  return {std::move(domain), std::move(selector), rsa ? "rsa" : "ed25519", key.public_record_key()};
}

// What would end the string, or escape what follows, stands with a backslash (RFC 1035 5.1).
static std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c;
  }
  return result + '"';
}

std::string zone_line(std::string_view name, std::string_view text) {
  constexpr std::size_t longest = 255;
  const bool several = text.size() > longest;
  std::string line = fmt::format("{}. IN TXT{}", name, several ? " (" : "");
  for (; !text.empty(); text.remove_prefix(std::min(longest, text.size())))
    line += ' ' + quoted(text.substr(0, longest));
  return line + (several ? " )\n" : "\n");
}

}  // namespace relayd::command
