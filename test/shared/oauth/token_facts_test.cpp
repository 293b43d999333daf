// What a token says of itself, and what of it does not fit.
#include "shared/oauth/token_facts.hpp"

#include <gmock/gmock.h>

#include "shared/oauth/assertion.hpp"

namespace relayd::oauth {
namespace {

using testing::HasSubstr;

std::string token(std::string_view claims) {
  return "eyJhbGciOiJSUzI1NiJ9." + base64url(claims) + ".c2lnbmF0dXJl";
}

TEST(TokenFacts, AreRead) {
  const auto facts = facts_of(token(
      R"({"aud":"https://outlook.office.com","scp":"SMTP.Send User.Read","upn":"ann@example.com","exp":1764000000})"));
  ASSERT_TRUE(facts);
  EXPECT_EQ(to_text(*facts), "aud https://outlook.office.com, scp SMTP.Send User.Read, of ann@example.com");
  EXPECT_EQ(facts->until, WallTime(std::chrono::seconds(1764000000)));
}

TEST(TokenFacts, AreBoundedHoweverMuchAServerSays) {
  const auto facts = facts_of(token("{\"aud\":\"" + std::string(10'000, 'a') + "\"}"));
  EXPECT_LE(to_text(*facts).size(), 200U);
  EXPECT_EQ(facts_of(token(R"({"exp":18446744073709551615})"))->until,
            WallTime(std::chrono::seconds(253'402'300'799)));
}

TEST(TokenFacts, OfAnotherKindOfTokenThereAreNone) {
  for (const std::string& text :
       {std::string("opaque"), std::string("a.b"), std::string(".."), std::string("a.!.c"), token("no JSON"),
        token("[]"), std::string("ya29.a0AfH6SMBx.y")})
    EXPECT_FALSE(facts_of(text)) << text;
}

TEST(TokenFacts, OfOtherTypesAreAsAbsent) {
  const auto facts = facts_of(token(R"({"aud":["x"],"scp":1,"roles":[1,"SMTP.SendAsApp"],"exp":"soon"})"));
  EXPECT_EQ(to_text(*facts), "aud none, roles SMTP.SendAsApp");
  EXPECT_FALSE(facts->until);
}

TEST(TokenFacts, TheFirstThatDoesNotFitIsNamed) {
  config::OAuth2 oauth2;
  oauth2.provider = config::OAuth2Provider::microsoft;
  TokenFacts facts{.audience = "https://graph.microsoft.com"};
  EXPECT_THAT(misfit(facts, oauth2), HasSubstr("https://outlook.office365.com/.default"));
  facts.audience = "https://outlook.office365.com/";
  EXPECT_THAT(misfit(facts, oauth2), HasSubstr("SMTP.SendAsApp"));
  facts.roles = {"SMTP.SendAsApp"};
  EXPECT_EQ(misfit(facts, oauth2), "");
  oauth2.grant = config::OAuth2Grant::refresh_token;
  facts.scope = "SMTP.SendAll";
  EXPECT_THAT(misfit(facts, oauth2), HasSubstr("no scp SMTP.Send"));
  facts.scope = "User.Read SMTP.Send";
  EXPECT_EQ(misfit(facts, oauth2), "");
}

}  // namespace
}  // namespace relayd::oauth
