// How an account of a route gets its access tokens: what the file says, completed by the upstream's preset.
//
// Under the router. Pure.
#pragma once

#include <string>
#include <vector>

#include "providers/provider.hpp"
#include "shared/config/oauth2.hpp"

namespace relayd::route {

// Fills in provider and grant. What is wrong is added to `errors` as text about `oauth2`; the result is then
// of no use. `preset` is the upstream's; null: none.
config::OAuth2 effective_oauth2(config::OAuth2 oauth2, const providers::Provider* preset,
                                std::vector<std::string>& errors);

// For people: "client_credentials of microsoft", "by a command".
std::string grant_text(const config::OAuth2& oauth2);

// Whether two of them are one credential.
bool same_credential(const config::OAuth2& a, const config::OAuth2& b);

}  // namespace relayd::route
