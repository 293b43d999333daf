#include "records.hpp"

#include <fmt/format.h>

namespace relayd::command {

std::string dkim_record_name(std::string_view selector, std::string_view domain) {
  return fmt::format("{}._domainkey.{}", selector, domain);
}

std::string dkim_record(const crypto::SigningKey& key) {
  const bool rsa = key.type() == crypto::SigningKey::Type::rsa;
  return fmt::format("v=DKIM1; k={}; p={}", rsa ? "rsa" : "ed25519", key.public_record_key());
}

std::string zone_line(std::string_view name, std::string_view text) {
  constexpr std::size_t longest = 255;
  const bool several = text.size() > longest;
  std::string line = fmt::format("{}. IN TXT{}", name, several ? " (" : "");
  for (; !text.empty(); text.remove_prefix(std::min(longest, text.size())))
    line += fmt::format(" \"{}\"", text.substr(0, longest));
  return line + (several ? " )\n" : "\n");
}

}  // namespace relayd::command
