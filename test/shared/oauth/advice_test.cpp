// Endpoints and forms of each provider, what is stored, and what the operator reads of a refusal.
#include "shared/oauth/advice.hpp"

#include <gmock/gmock.h>

#include "shared/oauth/endpoint.hpp"
#include "shared/oauth/form.hpp"
#include "shared/oauth/stored_token.hpp"

namespace relayd::oauth {
namespace {

using namespace std::chrono_literals;
using config::OAuth2Cloud;
using config::OAuth2Grant;
using config::OAuth2Provider;
using testing::HasSubstr;

config::OAuth2 of(OAuth2Provider provider, OAuth2Grant grant) {
  config::OAuth2 oauth2;
  oauth2.provider = provider;
  oauth2.grant = grant;
  oauth2.tenant = "example.com";
  oauth2.client_id = "app";
  return oauth2;
}

TEST(OAuthEndpoint, MicrosoftsCloudsHaveHostsAndScopesOfTheirOwn) {
  config::OAuth2 oauth2 = of(OAuth2Provider::microsoft, OAuth2Grant::refresh_token);
  EXPECT_EQ(endpoint_of(oauth2).scope, "https://outlook.office.com/SMTP.Send offline_access");
  oauth2.cloud = OAuth2Cloud::china;
  EXPECT_EQ(endpoint_of(oauth2).token_url,
            "https://login.partner.microsoftonline.cn/example.com/oauth2/v2.0/token");
  oauth2.cloud = OAuth2Cloud::usgov;
  EXPECT_EQ(endpoint_of(oauth2).device_url,
            "https://login.microsoftonline.us/example.com/oauth2/v2.0/devicecode");
  oauth2.grant = OAuth2Grant::client_credentials;
  EXPECT_EQ(endpoint_of(oauth2).scope, "https://outlook.office365.us/.default");
}

TEST(OAuthEndpoint, WhatTheConfigurationSaysComesFirst) {
  config::OAuth2 oauth2 = of(OAuth2Provider::microsoft, OAuth2Grant::refresh_token);
  oauth2.token_url = "https://login.example/a/token";
  oauth2.scope = "mail";
  const Endpoint endpoint = endpoint_of(oauth2);
  EXPECT_EQ(endpoint.token_url, "https://login.example/a/token");
  EXPECT_EQ(endpoint.device_url, "https://login.example/a/devicecode");
  EXPECT_EQ(endpoint.scope, "mail");
}

TEST(OAuthForm, ARefreshNamesItsScopeButAtGoogle) {
  Proof proof;
  proof.refresh_token = Secret(std::string("R&1"));
  config::OAuth2 oauth2 = of(OAuth2Provider::google, OAuth2Grant::refresh_token);
  EXPECT_EQ(token_form(oauth2, endpoint_of(oauth2), proof).reveal(),
            "grant_type=refresh_token&client_id=app&refresh_token=R%261");
  oauth2.provider = OAuth2Provider::microsoft;
  EXPECT_THAT(std::string(token_form(oauth2, endpoint_of(oauth2), proof).reveal()),
              HasSubstr("&scope=https%3A%2F%2Foutlook.office.com%2FSMTP.Send+offline_access"));
}

TEST(OAuthForm, AnAssertionStandsInPlaceOfASecret) {
  Proof proof;
  proof.assertion = Secret(std::string("a.b.c"));
  config::OAuth2 oauth2 = of(OAuth2Provider::azure, OAuth2Grant::client_credentials);
  EXPECT_EQ(token_form(oauth2, endpoint_of(oauth2), proof).reveal(),
            "grant_type=client_credentials&client_id=app&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3A"
            "client-assertion-type%3Ajwt-bearer&client_assertion=a.b.c&"
            "scope=https%3A%2F%2Fcommunication.azure.com%2F.default");
  oauth2 = of(OAuth2Provider::google, OAuth2Grant::service_account);
  EXPECT_EQ(token_form(oauth2, endpoint_of(oauth2), proof).reveal(),
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=a.b.c");
}

TEST(OAuthAdvice, EachRefusalThatIsKnownSaysWhatToDo) {
  struct Case {
    unsigned code;
    const char* words;
  };
  const config::OAuth2 oauth2 = of(OAuth2Provider::microsoft, OAuth2Grant::client_credentials);
  for (const Case& each :
       std::initializer_list<Case>{{7000215, "Copy the secret's Value, not its Secret ID"},
                                   {7000222, "The client secret has ended"},
                                   {700027, "thumbprint ab12"},
                                   {700025, "Remove client_secret"},
                                   {700082, "relayd oauth login main"},
                                   {53003, "A person must sign in"},
                                   {65001, "grant consent"},
                                   {90002, "client_id app is unknown in tenant example.com"},
                                   {70011, "scope"}}) {
    Refusal refusal;
    refusal.code = each.code;
    EXPECT_THAT(advice(refusal, oauth2, {"main", "ann@example.com", "the-scope", "ab12"}),
                HasSubstr(each.words));
  }
}

TEST(OAuthAdvice, GooglesRefusalsAreKnownByTheirWords) {
  const config::OAuth2 oauth2 = of(OAuth2Provider::google, OAuth2Grant::service_account);
  const auto said = [&](std::string error, std::string description) {
    Refusal refusal;
    refusal.error = std::move(error);
    refusal.description = std::move(description);
    return advice(refusal, oauth2, {"main", "ann@example.com", "https://mail.google.com/", "", 600s});
  };
  EXPECT_THAT(said("unauthorized_client", ""), HasSubstr("Domain-wide delegation"));
  EXPECT_THAT(said("invalid_grant", "Invalid JWT: Token must be"), HasSubstr("clock is 600 s ahead"));
  EXPECT_THAT(said("invalid_grant", "Invalid email"), HasSubstr("ann@example.com is no mailbox"));
  EXPECT_THAT(said("invalid_grant", "Token has been expired or revoked."), HasSubstr("In production"));
  EXPECT_EQ(said("something_new", ""), "");
}

TEST(StoredToken, WhatIsWrittenIsRead) {
  const StoredToken token{"microsoft",
                          "app",
                          "https://login.example/token",
                          "ann@example.com",
                          Secret(std::string("R.\"2")),
                          Secret(std::string("R.1")),
                          "5eed",
                          WallTime(5s)};
  const Result<StoredToken> read = parse_stored(write_stored(token).reveal());
  ASSERT_TRUE(read.ok()) << read.error();
  EXPECT_TRUE(read->is_of(token));
  EXPECT_EQ(read->refresh_token, token.refresh_token);
  EXPECT_EQ(read->previous, token.previous);
  EXPECT_EQ(read->seed, "5eed");
  EXPECT_EQ(read->obtained, token.obtained);
}

TEST(StoredToken, WhatIsDamagedIsNone) {
  for (const char* const text : {"", "{}", "[]", R"({"version":2})", "{\"version\":1,\"provider\":5}"})
    EXPECT_FALSE(parse_stored(text).ok()) << text;
}

}  // namespace
}  // namespace relayd::oauth
