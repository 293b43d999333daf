// endpoint_of(): where tokens of a provider come from, and which right is asked for (RFC 6749 3).
//
// Pure; what is known of each provider stands in one table here. What the configuration names itself comes
// first.
#pragma once

#include <string>

#include "shared/config/oauth2.hpp"

namespace relayd::oauth {

struct Endpoint {
  std::string token_url;      // empty: it is in the key file of a service account
  std::string device_url;     // RFC 8628; empty: the provider has none
  std::string authorize_url;  // of a browser; empty: none is known
  std::string scope;
};

// Of a configuration that was checked.
Endpoint endpoint_of(const config::OAuth2& oauth2);

}  // namespace relayd::oauth
