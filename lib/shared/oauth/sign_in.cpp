#include "shared/oauth/sign_in.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/crypto/sha256.hpp"
#include "shared/http/url.hpp"
#include "shared/oauth/assertion.hpp"
#include "shared/oauth/form.hpp"

namespace relayd::oauth {

using config::OAuth2Provider;
using nlohmann::json;
using std::chrono::seconds;

namespace {

constexpr std::size_t most_shown = 200;
constexpr seconds longest_interval{60};
constexpr seconds longest_wait{1800};
constexpr seconds slower{5};  // RFC 8628 3.5

std::string member(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

seconds seconds_in(const json& object, const char* key, seconds usual, seconds most) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number_unsigned()) return usual;
  return std::clamp(seconds(std::min<std::uint64_t>(found->get<std::uint64_t>(), 86400)), seconds(1), most);
}

// One value of a query, decoded; empty: it is not there.
std::string value_in(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    if (!pair.starts_with(name) || pair.substr(name.size(), 1) != "=") continue;
    std::string value;
    const std::string_view text = pair.substr(name.size() + 1);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const int high = i + 2 < text.size() ? ascii::hex_value(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? ascii::hex_value(text[i + 2]) : -1;
      if (text[i] == '%' && high >= 0 && low >= 0) {
        value += static_cast<char>(high * 16 + low);
        i += 2;
      } else {
        value += text[i] == '+' ? ' ' : text[i];
      }
    }
    return value;
  }
  return {};
}

}  // namespace

Secret device_form(const config::OAuth2& oauth2, const Endpoint& endpoint) {
  const Parameter parameters[] = {{"client_id", oauth2.client_id}, {"scope", endpoint.scope}};
  return form_of(parameters);
}

Result<DeviceCode> parse_device_code(const http::Response& response) {
  json object = json::parse(response.body, nullptr, false);
  if (response.status != 200 || !object.is_object()) {
    const Reply reply = parse_reply(response, {});
    const Refusal* const refusal = std::get_if<Refusal>(&reply);
    return Error{refusal ? fmt::format("{} {}", refusal->error, refusal->description)
                         : std::string("the server's answer makes no sense")};
  }
  DeviceCode code;
  code.device_code = Secret(member(object, "device_code"));
  code.user_code = excerpt(member(object, "user_code").substr(0, most_shown));
  code.verification_uri = member(object, "verification_uri");
  code.interval = seconds_in(object, "interval", code.interval, longest_interval);
  code.life = seconds_in(object, "expires_in", code.life, longest_wait);
  const Result<http::Url> url = http::parse_url(code.verification_uri);
  if (code.device_code.empty() || code.user_code.empty() || !url || !http::is_secure(*url))
    return Error{"the server's answer has no code, or no https address to type it at"};
  return code;
}

Secret poll_form(const config::OAuth2& oauth2, const Secret& client_secret, const Secret& device_code) {
  const Parameter parameters[] = {{"grant_type", "urn:ietf:params:oauth:grant-type:device_code"},
                                  {"client_id", oauth2.client_id},
                                  {"client_secret", client_secret.reveal()},
                                  {"device_code", device_code.reveal()}};
  return form_of(parameters);
}

std::optional<seconds> wait_after(const Refusal& refusal, seconds interval) {
  if (refusal.error == "authorization_pending") return interval;
  if (refusal.error == "slow_down") return interval + slower;
  if (refusal.temporary && refusal.error.empty()) return interval + slower;  // RFC 8628 3.5, no answer
  return std::nullopt;
}

std::string browser_url(const config::OAuth2& oauth2, const Endpoint& endpoint,
                        const BrowserRequest& request) {
  crypto::Sha256 digest;
  digest.update(request.verifier);
  const crypto::Digest octets = digest.finish();
  const std::string challenge = base64url({reinterpret_cast<const char*>(octets.data()), octets.size()});
  const bool google = oauth2.provider == OAuth2Provider::google;
  const Parameter parameters[] = {
      {"response_type", "code"},          {"client_id", oauth2.client_id},
      {"redirect_uri", request.redirect}, {"scope", endpoint.scope},
      {"state", request.state},           {"code_challenge", challenge},
      {"code_challenge_method", "S256"},  {"access_type", google ? "offline" : ""},
      {"prompt", google ? "consent" : ""}};
  const Secret query = form_of(parameters);
  return fmt::format("{}?{}", endpoint.authorize_url, query.reveal());
}

Result<Secret> code_in(std::string_view address, std::string_view state) {
  const std::size_t mark = address.find('?');
  std::string_view query = mark == std::string_view::npos ? "" : address.substr(mark + 1);
  query = query.substr(0, query.find_first_of("# \t\r\n"));
  if (state.empty() || value_in(query, "state") != state)
    return Error{"this is not the address of this sign-in ('state' differs)"};
  if (const std::string error = value_in(query, "error"); !error.empty())
    return Error{fmt::format("the provider says: {} {}", excerpt(error),
                             excerpt(value_in(query, "error_description")))};
  Secret code(value_in(query, "code"));
  if (code.empty()) return Error{"the address has no code"};
  return code;
}

Secret code_form(const config::OAuth2& oauth2, const Endpoint& endpoint, const BrowserRequest& request,
                 const Secret& client_secret, const Secret& code) {
  const bool google = oauth2.provider == OAuth2Provider::google;
  const Parameter parameters[] = {{"grant_type", "authorization_code"},
                                  {"client_id", oauth2.client_id},
                                  {"client_secret", client_secret.reveal()},
                                  {"code", code.reveal()},
                                  {"redirect_uri", request.redirect},
                                  {"code_verifier", request.verifier},
                                  {"scope", google ? "" : std::string_view(endpoint.scope)}};
  return form_of(parameters);
}

}  // namespace relayd::oauth
