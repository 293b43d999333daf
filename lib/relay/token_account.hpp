// TokenAccount: whose access tokens are kept, and how they are got.
//
// A value; made of a route's choice, told to the TokenKeepers.
#pragma once

#include <string>

#include "shared/config/oauth2.hpp"

namespace relayd {

struct TokenAccount {
  std::string upstream;  // its name
  std::string username;  // of the account; whom the login is for where `oauth2` says nothing else
  config::OAuth2 oauth2;
  std::string proxy;    // of the upstream; empty: none
  std::string ca_file;  // PEM, of a token server that the configuration names; empty: the system's bundle
};

}  // namespace relayd
