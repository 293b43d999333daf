// What a request for a token is made of: secrets, keys, sign-ins and commands, read anew each time.
//
// Blocks; on a helper thread.
#pragma once

#include <optional>
#include <string>

#include "relay/token_account.hpp"
#include "relay/token_store.hpp"
#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"
#include "shared/base/time.hpp"
#include "shared/crypto/sha256.hpp"
#include "shared/oauth/reply.hpp"
#include "shared/oauth/stored_token.hpp"

namespace relayd {

struct TokenNeed {
  TokenAccount account;
  std::string user;
  WallTime now;
  // The sign-in that is newer than its file, as the disk failed.
  std::optional<oauth::StoredToken> unwritten = {};
  bool with_previous = false;  // the refresh token before the last
};

struct TokenRequest {
  std::string url = {};
  Secret form = {};
  crypto::Digest read{};                           // of the secrets: another one once they have changed
  std::string thumbprint = {};                     // of the client's certificate, in hex; empty: it has none
  std::optional<oauth::Printed> printed = {};      // by a command; then there is nothing to ask
  std::optional<oauth::StoredToken> sign_in = {};  // of a refresh token; it is the one that is used
  bool is_kept = false;                            // in its file, just so
};

// An error names the source that cannot be used.
Result<TokenRequest> make_token_request(const TokenNeed& need, TokenStore& store);

// The sign-in that counts: that of the file, unless the configuration has another refresh token than it had
// when the file was written. `is_kept` of the request says which.
Result<TokenRequest> find_sign_in(const TokenNeed& need, TokenStore& store);

// A person has signed in: that counts from now on. Throws DiskError.
void store_sign_in(const TokenAccount& account, const Secret& refresh_token, WallTime now, TokenStore& store);

}  // namespace relayd
