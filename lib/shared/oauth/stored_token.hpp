// StoredToken: a refresh token as its file has it, so that a sign-in outlives the process.
//
// Pure; fuzzed. One object of JSON with a version; what this relayd does not know of it is an error.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"
#include "shared/base/time.hpp"

namespace relayd::oauth {

struct StoredToken {
  std::string provider;
  std::string client_id;
  std::string token_url;
  std::string user;
  Secret refresh_token;
  Secret previous;   // the one before; empty: none
  std::string seed;  // SHA-256, in hex, of the one that the configuration had meanwhile; empty: it had none
  WallTime obtained{};

  // It is of the same sign-in: nobody else's token is sent to a server.
  bool is_of(const StoredToken& other) const {
    return client_id == other.client_id && token_url == other.token_url && user == other.user;
  }
};

Secret write_stored(const StoredToken& token);
Result<StoredToken> parse_stored(std::string_view text);

}  // namespace relayd::oauth
