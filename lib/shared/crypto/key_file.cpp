#include "shared/crypto/key_file.hpp"

#include <fmt/format.h>

#include "shared/config/file.hpp"

namespace relayd::crypto {

Result<std::shared_ptr<const SigningKey>> read_signing_key(const std::string& path) {
  constexpr std::size_t most = 64 * 1024;
  Result<config::FileText> file = config::read_file(path, most);
  if (!file) return Error{file.error()};
  Result<std::shared_ptr<const SigningKey>> key = SigningKey::parse(file->text);
  wipe(file->text);
  if (!key) return Error{fmt::format("the DKIM key {} cannot be used: {}", path, key.error())};
  return key;
}

}  // namespace relayd::crypto
