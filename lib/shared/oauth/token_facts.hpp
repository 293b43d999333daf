// TokenFacts: what an access token says of itself, where it is a JSON Web Token (RFC 7519), as Microsoft's
// are.
//
// Pure. To tell an operator why a server refuses it; nobody verifies it, and nothing is decided by it. Never
// the token itself.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/time.hpp"
#include "shared/config/oauth2.hpp"

namespace relayd::oauth {

struct TokenFacts {
  std::string audience;            // aud: for which server it is
  std::vector<std::string> roles;  // what an application may do
  std::string scope;               // scp: what a person has allowed, with blanks between
  std::string user;                // upn or unique_name: who has signed in
  std::optional<WallTime> until;   // exp
};

// Nothing: it is of another kind, or cannot be read.
std::optional<TokenFacts> facts_of(std::string_view token);

// "aud https://outlook.office.com, scp SMTP.Send", of bounded length; it is as the server wrote it.
std::string to_text(const TokenFacts& facts);

// What of it keeps a server of Microsoft's from taking mail by SMTP, and what to change; empty: all fits.
std::string misfit(const TokenFacts& facts, const config::OAuth2& oauth2);

}  // namespace relayd::oauth
