// OAuth2: how an account gets its access token, as the configuration says it (RFC 6749, RFC 7523, RFC 8628).
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/words.hpp"
#include "shared/config/secret_source.hpp"

namespace relayd::config {

enum class OAuth2Provider { microsoft, google, azure, fastmail, yahoo, generic };

constexpr auto words_of(OAuth2Provider) {
  using enum OAuth2Provider;
  return std::to_array<Word<OAuth2Provider>>({{"microsoft", microsoft},
                                              {"google", google},
                                              {"azure", azure},
                                              {"fastmail", fastmail},
                                              {"yahoo", yahoo},
                                              {"generic", generic}});
}

enum class OAuth2Grant { client_credentials, refresh_token, service_account };

constexpr auto words_of(OAuth2Grant) {
  using enum OAuth2Grant;
  return std::to_array<Word<OAuth2Grant>>({{"client_credentials", client_credentials},
                                           {"refresh_token", refresh_token},
                                           {"service_account", service_account}});
}

// A cloud of Microsoft's.
enum class OAuth2Cloud { global, usgov, usgov_dod, china };

constexpr auto words_of(OAuth2Cloud) {
  using enum OAuth2Cloud;
  return std::to_array<Word<OAuth2Cloud>>(
      {{"public", global}, {"usgov", usgov}, {"usgov-dod", usgov_dod}, {"china", china}});
}

// As the file has it. The router completes it, and checks that what a grant needs is there and nothing that
// does not go with it; see route/oauth2.hpp.
struct OAuth2 {
  OAuth2Provider provider = OAuth2Provider::generic;
  bool provider_given = false;  // by the file; else the router fills it in, by the upstream's preset
  OAuth2Grant grant = OAuth2Grant::client_credentials;
  bool grant_given = false;  // likewise; else by what is given
  std::string tenant;        // microsoft, azure: a GUID or a domain
  OAuth2Cloud cloud = OAuth2Cloud::global;
  std::string client_id;
  SecretSource client_secret;
  std::string client_certificate;  // PEM; with client_key in place of the secret
  std::string client_key;          // PEM
  std::string key_file;            // the JSON key of a service account
  SecretSource refresh_token;      // a first one; `relayd oauth login` stores others
  std::string user;                // whom the login is for; empty: the account's username
  bool user_is_sender = false;     // it is the address by which the message was routed
  std::string scope;               // empty: by provider, grant and cloud
  std::string token_url;           // empty: by provider and cloud
  std::string ca_file;             // PEM, that signed the token server's certificate; empty: the system's
  std::vector<std::string>
      token_command;  // prints a token; then there is no grant, and only `user` beside it
  std::optional<std::chrono::sys_days> secret_expires;  // the client secret ends
  Location where;
};

}  // namespace relayd::config
