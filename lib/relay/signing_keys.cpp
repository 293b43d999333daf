#include "relay/signing_keys.hpp"

#include <fmt/format.h>

#include <memory>
#include <utility>

#include "shared/config/file.hpp"
#include "shared/crypto/signing_key.hpp"

namespace relayd {

namespace {

using Key = std::shared_ptr<const crypto::SigningKey>;

Result<Key> read_key(const std::string& path) {
  constexpr std::size_t most = 64 * 1024;
  Result<config::FileText> file = config::read_file(path, most);
  if (!file) return Error{file.error()};
  Result<Key> key = crypto::SigningKey::parse(file->text);
  wipe(file->text);
  if (!key) return Error{fmt::format("the DKIM key {} cannot be used: {}", path, key.error())};
  return key;
}

}  // namespace

SigningKeysResult read_signing_keys(const config::Config& config) {
  SigningKeysResult result;
  std::vector<rewrite::DkimSigner> signers;
  for (const config::DkimKey& entry : config.dkim) {
    Result<Key> key = read_key(entry.key);
    if (key)
      signers.push_back({entry.domain, entry.selector, std::move(*key), entry.expires_after});
    else
      result.errors.push_back({config.file, entry.where, key.error()});
  }
  result.keys = rewrite::DkimKeys(std::move(signers));
  return result;
}

}  // namespace relayd
