// TokenStore: the refresh tokens that outlive the process: a file for each account, in `tokens/` of the
// queue's directory.
//
// Owned by the TokenKeepers. Blocks; on a helper thread, for one account one call at a time. After a crash a
// file has its old text or its new one.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "relay/token_account.hpp"
#include "shared/base/result.hpp"
#include "shared/disk/disk.hpp"
#include "shared/oauth/stored_token.hpp"

namespace relayd {

class TokenStore {
 public:
  // `directory` of the disk; ".": the one that it holds.
  explicit TokenStore(disk::Disk& disk, std::string directory = "tokens")
      : disk_(disk), directory_(std::move(directory)) {}

  // Nothing: there is none. An error: it cannot be read, or may be read by others.
  Result<std::optional<oauth::StoredToken>> read(const TokenAccount& account);
  // Durable when it returns. Throws DiskError; then the file has its old text, or its new one already.
  void write(const TokenAccount& account, const oauth::StoredToken& token);

 private:
  std::string file_of(const TokenAccount& account) const;

  disk::Disk& disk_;
  std::string directory_;
};

}  // namespace relayd
