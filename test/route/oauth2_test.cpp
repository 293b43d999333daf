#include "route/oauth2.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "route/presets.hpp"

namespace relayd::route {
namespace {

using config::OAuth2;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using enum config::OAuth2Grant;
using enum config::OAuth2Provider;

config::SecretSource literal(const std::string& text) {
  config::SecretSource source;
  source.kind = config::SecretSource::Kind::literal;
  source.literal = Secret(text);
  return source;
}

// An application of a tenant of Microsoft's.
OAuth2 application() {
  OAuth2 oauth2;
  oauth2.tenant = "example.com";
  oauth2.client_id = "client";
  oauth2.client_secret = literal("secret");
  oauth2.user = "ann@example.com";
  return oauth2;
}

OAuth2 of(config::OAuth2Provider provider, OAuth2 oauth2) {
  oauth2.provider = provider;
  oauth2.provider_given = true;
  return oauth2;
}
OAuth2 by(config::OAuth2Grant grant, OAuth2 oauth2) {
  oauth2.grant = grant;
  oauth2.grant_given = true;
  return oauth2;
}

std::vector<std::string> faults(const OAuth2& oauth2, const char* preset = "") {
  std::vector<std::string> errors;
  effective_oauth2(oauth2, find_preset(preset), errors);
  return errors;
}

OAuth2 effective(const OAuth2& oauth2, const char* preset = "") {
  std::vector<std::string> errors;
  OAuth2 result = effective_oauth2(oauth2, find_preset(preset), errors);
  EXPECT_THAT(errors, IsEmpty());
  return result;
}

TEST(OAuth2, ThePresetTellsTheProvider) {
  EXPECT_EQ(effective(application(), "office365").provider, microsoft);
  OAuth2 person = application();
  person.tenant.clear();
  EXPECT_EQ(effective(person, "gmail").provider, google);
  EXPECT_EQ(effective(of(azure, application()), "office365").provider, azure);
  EXPECT_THAT(faults(application()), ElementsAre(HasSubstr("'provider' is missing")));
  EXPECT_THAT(faults(application(), "mailgun"), ElementsAre(HasSubstr("'provider' is missing")));
}

TEST(OAuth2, WhatIsGivenTellsTheGrant) {
  EXPECT_EQ(effective(application(), "office365").grant, client_credentials);
  OAuth2 person = application();
  person.refresh_token = literal("token");
  EXPECT_EQ(effective(person, "office365").grant, refresh_token);
  person = application();
  person.tenant = "organizations";
  EXPECT_EQ(effective(person, "office365").grant, refresh_token);
  person.tenant.clear();
  EXPECT_EQ(effective(person, "gmail").grant, refresh_token);
  OAuth2 robot;
  robot.key_file = "robot.json";
  EXPECT_EQ(effective(robot, "gmail").grant, service_account);
}

TEST(OAuth2, AnApplicationBelongsToOneTenant) {
  for (const char* tenant : {"common", "organizations", "consumers"}) {
    OAuth2 oauth2 = by(client_credentials, application());
    oauth2.tenant = tenant;
    EXPECT_THAT(faults(oauth2, "office365"), ElementsAre(HasSubstr("belongs to one tenant"))) << tenant;
  }
  OAuth2 without = application();
  without.tenant.clear();
  EXPECT_THAT(faults(without, "office365"), ElementsAre(HasSubstr("'tenant' is missing")));
}

TEST(OAuth2, APersonIsNoSender) {
  OAuth2 oauth2 = application();
  oauth2.tenant.clear();
  oauth2.user_is_sender = true;
  EXPECT_THAT(faults(oauth2, "gmail"), ElementsAre(HasSubstr("that of one person")));
  EXPECT_THAT(faults(by(client_credentials, application()), "office365"), IsEmpty());
}

TEST(OAuth2, WhatAProviderDoesNotKnowIsRefused) {
  OAuth2 oauth2 = by(client_credentials, application());
  oauth2.cloud = config::OAuth2Cloud::china;
  oauth2.client_certificate = "app.pem";
  const std::vector<std::string> found = faults(oauth2, "gmail");
  EXPECT_THAT(found, Contains(HasSubstr("google has no 'tenant'")));
  EXPECT_THAT(found, Contains(HasSubstr("google has no 'cloud'")));
  EXPECT_THAT(found, Contains(HasSubstr("takes no 'client_certificate'")));
  EXPECT_THAT(found, Contains(HasSubstr("gives an application no token")));
}

TEST(OAuth2, WhatAGrantNeedsIsDemanded) {
  OAuth2 bare = by(client_credentials, application());
  bare.client_secret = {};
  EXPECT_THAT(faults(bare, "office365"), ElementsAre(HasSubstr("needs a 'client_secret'")));
  EXPECT_THAT(faults(by(service_account, OAuth2()), "gmail"), ElementsAre(HasSubstr("needs a 'key_file'")));
  OAuth2 nobody = application();
  nobody.client_id.clear();
  EXPECT_THAT(faults(nobody, "office365"), ElementsAre("'client_id' is missing"));
  OAuth2 generic_one = of(generic, application());
  generic_one.tenant.clear();
  EXPECT_THAT(faults(generic_one), ElementsAre(HasSubstr("'token_url'"), HasSubstr("'scope'")));
}

TEST(OAuth2, ACommandNeedsNothingElse) {
  OAuth2 oauth2;
  oauth2.token_command = {"/usr/local/bin/get-token"};
  EXPECT_THAT(faults(oauth2), IsEmpty());
  EXPECT_EQ(grant_text(oauth2), "by a command");
}

TEST(OAuth2, AnotherSecretOrUserIsAnotherCredential) {
  const OAuth2 one = application();
  OAuth2 other = one;
  other.where = {9, 1};
  EXPECT_TRUE(same_credential(one, other));
  other.client_secret = literal("another");
  EXPECT_FALSE(same_credential(one, other));
  other = one;
  other.user = "bob@example.com";
  EXPECT_FALSE(same_credential(one, other));
}

}  // namespace
}  // namespace relayd::route
