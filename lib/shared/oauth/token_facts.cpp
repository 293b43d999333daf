#include "shared/oauth/token_facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "shared/base/base64.hpp"
#include "shared/oauth/endpoint.hpp"

namespace relayd::oauth {

using nlohmann::json;

namespace {

constexpr std::size_t most_shown = 200;

// base64url without padding (RFC 7515 2).
std::optional<std::string> octets_of(std::string_view part) {
  std::string text(part);
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  text.append((4 - text.size() % 4) % 4, '=');
  return base64::decode(text);
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find(' '), words.size());
    if (words.substr(0, end) == word) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

bool is_for_mail(std::string_view audience) {
  if (const std::size_t scheme = audience.find("://"); scheme != std::string_view::npos)
    audience.remove_prefix(scheme + 3);
  const std::string_view host = audience.substr(0, audience.find('/'));
  constexpr std::string_view hosts[] = {
      "outlook.office365.com", "outlook.office.com",
      "outlook.office365.us",  "outlook-dod.office365.us",
      "partner.outlook.cn",    "00000002-0000-0ff1-ce00-000000000000"};  // Exchange Online by its id
  return std::ranges::find(hosts, host) != std::end(hosts);
}

}  // namespace

std::optional<TokenFacts> facts_of(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::optional<std::string> octets = octets_of(token.substr(first + 1, second - first - 1));
  if (!octets) return std::nullopt;
  const json claims = json::parse(*octets, nullptr, false);
  if (!claims.is_object()) return std::nullopt;
  TokenFacts facts;
  facts.audience = text_of(claims, "aud");
  facts.scope = text_of(claims, "scp");
  for (const char* const key : {"upn", "unique_name", "preferred_username"})
    if (facts.user.empty()) facts.user = text_of(claims, key);
  if (const auto roles = claims.find("roles"); roles != claims.end() && roles->is_array())
    for (const json& role : *roles)
      if (role.is_string()) facts.roles.push_back(role.get<std::string>());
  if (const auto until = claims.find("exp"); until != claims.end() && until->is_number_unsigned()) {
    constexpr std::uint64_t most = 253'402'300'799;  // the end of year 9999
    facts.until = WallTime(std::chrono::seconds(std::min(until->get<std::uint64_t>(), most)));
  }
  return facts;
}

std::string to_text(const TokenFacts& facts) {
  std::string text = fmt::format("aud {}", facts.audience.empty() ? "none" : facts.audience);
  if (!facts.roles.empty()) text += fmt::format(", roles {}", fmt::join(facts.roles, " "));
  if (!facts.scope.empty()) text += fmt::format(", scp {}", facts.scope);
  if (facts.roles.empty() && facts.scope.empty()) text += ", no roles and no scp";
  if (!facts.user.empty()) text += fmt::format(", of {}", facts.user);
  if (text.size() > most_shown) text.resize(most_shown);
  return text;
}

std::string misfit(const TokenFacts& facts, const config::OAuth2& oauth2) {
  if (oauth2.provider != config::OAuth2Provider::microsoft) return {};
  const std::string wanted = endpoint_of(oauth2).scope;
  if (!is_for_mail(facts.audience))
    return fmt::format("The token is for another service: leave `scope` as it is by default, {}", wanted);
  if (oauth2.grant == config::OAuth2Grant::client_credentials) {
    if (std::ranges::find(facts.roles, "SMTP.SendAsApp") == facts.roles.end())
      return "The token has no role SMTP.SendAsApp: give the app that permission of \"Office 365 Exchange "
             "Online\" with an admin's consent, or the role 'Application SMTP.SendAsApp' in Exchange";
    return {};
  }
  if (!has_word(facts.scope, "SMTP.Send"))
    return fmt::format("The token has no scp SMTP.Send: sign in again with `scope` as it is by default, {}",
                       wanted);
  return {};
}

}  // namespace relayd::oauth
