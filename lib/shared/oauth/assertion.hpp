// Assertions: signed JWT by which a client shows who it is, or for whom a service account asks (RFC 7515, RFC
// 7523).
//
// Pure but for what signs. An assertion is a Secret: for some minutes it is as good as a password.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"
#include "shared/base/time.hpp"
#include "shared/crypto/sha256.hpp"
#include "shared/crypto/signing_key.hpp"

namespace relayd::oauth {

using Key = std::shared_ptr<const crypto::SigningKey>;

// base64url without padding (RFC 7515 2).
std::string base64url(std::string_view octets);

// Of a client with a certificate, for ten minutes (PS256, x5t#S256).
struct ClientClaims {
  std::string_view token_url;
  std::string_view client_id;
  std::string_view id;  // another one each time
  crypto::Digest thumbprint;
};
Secret client_assertion(const ClientClaims& claims, const crypto::SigningKey& key, WallTime now);

// The JSON key of a service account, as it is downloaded.
struct ServiceAccount {
  std::string email;
  std::string key_id;
  std::string token_url;
  Key key;
};
Result<ServiceAccount> parse_service_account(std::string_view text);

// Of a service account that asks for a mailbox, for an hour (RS256).
Secret service_assertion(const ServiceAccount& account, std::string_view scope, std::string_view mailbox,
                         WallTime now);

}  // namespace relayd::oauth
