// How a person signs in: a code typed on another device (RFC 8628), or a browser that comes back to this
// machine (RFC 8252, with PKCE of RFC 7636).
//
// Pure; who asks the servers and waits is relayd/oauth.cpp. What servers say is bounded and escaped.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"
#include "shared/config/oauth2.hpp"
#include "shared/http/message.hpp"
#include "shared/oauth/endpoint.hpp"
#include "shared/oauth/reply.hpp"

namespace relayd::oauth {

// --- a code on another device ---

struct DeviceCode {
  Secret device_code;
  std::string user_code;         // to be shown, as the next
  std::string verification_uri;  // https
  std::chrono::seconds interval{5};
  std::chrono::seconds life{900};
};
Secret device_form(const config::OAuth2& oauth2, const Endpoint& endpoint);
Result<DeviceCode> parse_device_code(const http::Response& response);
// Asks whether the person is through.
Secret poll_form(const config::OAuth2& oauth2, const Secret& client_secret, const Secret& device_code);
// How long to wait until that is asked again; nothing: the refusal is the end.
std::optional<std::chrono::seconds> wait_after(const Refusal& refusal, std::chrono::seconds interval);

// --- a browser ---

struct BrowserRequest {
  std::string redirect;  // "http://127.0.0.1:PORT"
  std::string state;     // random, as the next: at least 43 characters of base64url
  std::string verifier;
};
// What the person opens.
std::string browser_url(const config::OAuth2& oauth2, const Endpoint& endpoint,
                        const BrowserRequest& request);
// The code in what the browser asks for, or in the address that the person pastes: all of it, or from the '/'
// or the '?' on. An error: it is of another sign-in, or the provider's word.
Result<Secret> code_in(std::string_view address, std::string_view state);
Secret code_form(const config::OAuth2& oauth2, const Endpoint& endpoint, const BrowserRequest& request,
                 const Secret& client_secret, const Secret& code);

}  // namespace relayd::oauth
