#include "shared/oauth/form.hpp"

#include <string>
#include <utility>
#include <vector>

#include "shared/base/ascii.hpp"

namespace relayd::oauth {

using config::OAuth2Grant;
using config::OAuth2Provider;

namespace {

void append_encoded(std::string& out, std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    if (ascii::is_letter(c) || ascii::is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~')
      out += c;
    else if (c == ' ')
      out += '+';
    else
      (out += '%').append({digits[octet >> 4], digits[octet & 15]});
  }
}

}  // namespace

Secret form_of(std::span<const Parameter> parameters) {
  std::size_t most = 0;
  for (const Parameter& each : parameters) most += 3 * (each.name.size() + each.value.size()) + 2;
  std::string form;
  form.reserve(most);  // all of it, so that nothing is left behind
  for (const Parameter& each : parameters) {
    if (each.value.empty()) continue;
    if (!form.empty()) form += '&';
    append_encoded(form, each.name);
    form += '=';
    append_encoded(form, each.value);
  }
  return Secret(std::move(form));
}

Secret token_form(const config::OAuth2& oauth2, const Endpoint& endpoint, const Proof& proof) {
  if (oauth2.grant == OAuth2Grant::service_account) {
    const Parameter parameters[] = {{"grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"},
                                    {"assertion", proof.assertion.reveal()}};
    return form_of(parameters);
  }
  const bool refresh = oauth2.grant == OAuth2Grant::refresh_token;
  // Google's refresh takes no scope, and Microsoft's fails for some without one.
  const bool names_scope = !refresh || oauth2.provider != OAuth2Provider::google;
  const bool asserts = !proof.assertion.empty();
  const Parameter parameters[] = {
      {"grant_type", refresh ? "refresh_token" : "client_credentials"},
      {"client_id", oauth2.client_id},
      {"client_secret", proof.client_secret.reveal()},
      {"client_assertion_type", asserts ? "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" : ""},
      {"client_assertion", proof.assertion.reveal()},
      {"refresh_token", refresh ? proof.refresh_token.reveal() : ""},
      {"scope", names_scope ? std::string_view(endpoint.scope) : ""},
  };
  return form_of(parameters);
}

}  // namespace relayd::oauth
