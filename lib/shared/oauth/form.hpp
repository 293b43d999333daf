// What is posted to a token server: forms (RFC 6749 B) with what each grant needs (RFC 6749 4.4, 6; RFC 7521
// 4).
//
// Pure. A form is a Secret: it holds one.
#pragma once

#include <span>
#include <string_view>

#include "shared/base/secret.hpp"
#include "shared/config/oauth2.hpp"
#include "shared/oauth/endpoint.hpp"

namespace relayd::oauth {

struct Parameter {
  std::string_view name;
  std::string_view value;  // without one it is left out
};

// application/x-www-form-urlencoded.
Secret form_of(std::span<const Parameter> parameters);

// What proves who asks. What the grant does not use is empty.
struct Proof {
  Secret client_secret;
  Secret assertion;  // a JWT: of the client in place of its secret, or the grant of a service account
  Secret refresh_token;
};
Secret token_form(const config::OAuth2& oauth2, const Endpoint& endpoint, const Proof& proof);

}  // namespace relayd::oauth
