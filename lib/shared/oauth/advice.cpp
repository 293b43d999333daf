#include "shared/oauth/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace relayd::oauth {

using config::OAuth2Grant;
using config::OAuth2Provider;
using std::chrono::seconds;

namespace {

enum class Trouble {
  wrong_secret,
  ended_secret,
  unknown_certificate,
  public_client,
  dead_token,
  person_needed,
  no_consent,
  unknown_client,
  wrong_request
};

struct Row {
  unsigned code;  // AADSTS…
  Trouble trouble;
};

constexpr Row rows[] = {
    {7000215, Trouble::wrong_secret},       {70002, Trouble::wrong_secret},
    {7000222, Trouble::ended_secret},       {700027, Trouble::unknown_certificate},
    {700030, Trouble::unknown_certificate}, {700025, Trouble::public_client},
    {700082, Trouble::dead_token},          {70008, Trouble::dead_token},
    {70000, Trouble::dead_token},           {50173, Trouble::dead_token},
    {70043, Trouble::dead_token},           {50076, Trouble::person_needed},
    {50079, Trouble::person_needed},        {53003, Trouble::person_needed},
    {65001, Trouble::no_consent},           {650056, Trouble::no_consent},
    {90094, Trouble::no_consent},           {700016, Trouble::unknown_client},
    {700011, Trouble::unknown_client},      {90002, Trouble::unknown_client},
    {90038, Trouble::unknown_client},       {9002332, Trouble::unknown_client},
    {50194, Trouble::unknown_client},       {900144, Trouble::wrong_request},
    {900561, Trouble::wrong_request},       {70011, Trouble::wrong_request},
};

std::string of_microsoft(Trouble trouble, const config::OAuth2& oauth2, const Asked& asked) {
  const auto sign_in = fmt::format("relayd oauth login {}", asked.upstream);
  switch (trouble) {
    case Trouble::wrong_secret:
      return "Copy the secret's Value, not its Secret ID";
    case Trouble::ended_secret:
      return fmt::format("The client secret has ended: make a new one, put it {}, set secret_expires",
                         oauth2.client_secret.kind == config::SecretSource::Kind::file
                             ? "into " + oauth2.client_secret.name
                             : "where client_secret says");
    case Trouble::unknown_certificate:
      return fmt::format("Upload this certificate (thumbprint {}) to the app", asked.thumbprint);
    case Trouble::public_client:
      return "Remove client_secret, or make the app confidential";
    case Trouble::dead_token:
      return "Run " + sign_in;
    case Trouble::person_needed:
      return fmt::format("A person must sign in: {}; or an admin exempts this app", sign_in);
    case Trouble::no_consent:
      return "An admin must grant consent for SMTP.Send or SMTP.SendAsApp";
    case Trouble::unknown_client:
      return fmt::format("client_id {} is unknown in tenant {}: check tenant and cloud", oauth2.client_id,
                         oauth2.tenant);
    case Trouble::wrong_request:
      return fmt::format("The scope may be wrong: {}", asked.scope);
  }
  return {};
}

std::string skew_text(seconds skew) {
  return fmt::format("This machine's clock is {} s {}", std::abs(skew.count()),
                     skew.count() > 0 ? "ahead" : "behind");
}

std::string of_google(const Refusal& refusal, const Asked& asked) {
  const auto says = [&refusal](std::string_view words) {
    return refusal.description.find(words) != std::string::npos;
  };
  if (refusal.error == "unauthorized_client")
    return fmt::format(
        "Admin console, Security, API controls, Domain-wide delegation: the client id of the key, scope {}",
        asked.scope);
  if (says("Invalid JWT")) return asked.skew ? skew_text(*asked.skew) : "Is this machine's clock right?";
  if (says("Invalid email")) return fmt::format("{} is no mailbox of the domain", asked.user);
  if (says("expired or revoked"))
    return fmt::format(
        "Run relayd oauth login {}; if it lasts 7 days only, set the app's status to In "
        "production",
        asked.upstream);
  if (refusal.error == "invalid_client") return "Check client_id and client_secret";
  return {};
}

}  // namespace

std::string advice(const Refusal& refusal, const config::OAuth2& oauth2, const Asked& asked) {
  if (oauth2.provider == OAuth2Provider::google) return of_google(refusal, asked);
  const auto row = std::ranges::find(rows, refusal.code, &Row::code);
  if (row != std::end(rows)) return of_microsoft(row->trouble, oauth2, asked);
  if (refusal.error == "invalid_grant" && oauth2.grant == OAuth2Grant::refresh_token)
    return of_microsoft(Trouble::dead_token, oauth2, asked);
  return {};
}

}  // namespace relayd::oauth
