// What a preset stands for, and what a file makes of it.
#include "route/presets.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "route/router.hpp"

namespace relayd::route {
namespace {

using config::TlsMode;
using testing::ElementsAre;

config::Upstream provider(std::string name, std::string region = "") {
  config::Upstream result;
  result.name = name;
  result.provider = std::move(name);
  result.region = std::move(region);
  return result;
}

std::shared_ptr<const Router> router(config::Upstream upstream) {
  auto config = std::make_shared<config::Config>();
  config->upstreams = {std::move(upstream)};
  Router::Built built = Router::build(config);
  for (const auto& error : built.errors) ADD_FAILURE() << error.text;
  return built.router;
}

// One line for each preset: what a bare `provider: NAME` stands for.
std::string standing_for(std::string name, std::string region = "") {
  const auto built = router(provider(std::move(name), std::move(region)));
  const Upstream& x = built->upstreams()[0];
  std::string text = x.host;
  for (const auto& [port, tls] : x.endpoints) text += fmt::format(" {}{}", port, to_string(tls)[0]);
  text += fmt::format(" {}", to_string(x.mechanisms));
  text += fmt::format(" {}x{}x{}", x.limits.connections, x.limits.messages_per_connection,
                      x.limits.recipients_per_message);
  if (x.limits.message_size) text += fmt::format(" {}M", x.limits.message_size->count >> 20);
  if (!x.limits.rate.empty()) text += " " + config::to_string(x.limits.rate);
  if (!x.limits.quota.empty()) text += " " + config::to_string(x.limits.quota);
  if (x.pipelining != config::Pipelining::ahead) text += fmt::format(" {}", to_string(x.pipelining));
  return text;
}

TEST(Preset, PresetsAndTheirRegions) {
  const std::string ladder = " 587s 2525s 465i 25s plain, login ";
  EXPECT_EQ(standing_for("mailgun"), "smtp.mailgun.org" + ladder + "10x1000x100 25M");
  EXPECT_EQ(standing_for("mailgun", "us"), standing_for("mailgun"));
  EXPECT_EQ(standing_for("mailgun", "eu"), "smtp.eu.mailgun.org" + ladder + "10x1000x100 25M");
  EXPECT_EQ(standing_for("sendgrid"), "smtp.sendgrid.net" + ladder + "10x5000x1000 30M");
  EXPECT_EQ(standing_for("sendgrid", "eu"), "smtp.eu.sendgrid.net" + ladder + "10x5000x1000 30M");
  EXPECT_EQ(standing_for("sendcloud"),
            "smtp.sendcloud.net 587s 2525s 25s login, plain 10x1000x100 transaction");
  EXPECT_EQ(standing_for("ses", "eu-west-1"),
            "email-smtp.eu-west-1.amazonaws.com 587s 2587s 465i 2465i 25s plain, login 10x1000x50 40M");
  EXPECT_EQ(standing_for("gmail"),
            "smtp.gmail.com 587s 465i plain, login, xoauth2, oauthbearer 3x1000x100 2000 messages/24h, "
            "10000/24h");
  EXPECT_EQ(standing_for("office365"),
            "smtp.office365.com 587s login, xoauth2 3x1000x500 30 messages/m 10000/24h");
  EXPECT_EQ(standing_for("office365-hve"), "smtp-hve.office365.com 587s xoauth2 10x1000x100");
  EXPECT_EQ(standing_for("outlook-personal"), "smtp-mail.outlook.com 587s xoauth2 10x1000x100");
  EXPECT_EQ(standing_for("fastmail"), "smtp.fastmail.com 465i 587s plain, login, xoauth2 10x1000x100 67M");
  EXPECT_EQ(standing_for("aol"), "smtp.aol.com 465i 587s plain, login, xoauth2 10x1000x100");
}

std::vector<sasl::Mechanism> mechanisms_with(const std::string& name, bool by_token) {
  config::Upstream settings = provider(name);
  settings.username = "ann@example.com";
  if (by_token) {
    settings.oauth2.emplace();
    settings.oauth2->token_command = {"/bin/true"};
  } else {
    settings.password.kind = config::SecretSource::Kind::literal;
  }
  const auto built = router(settings);
  return mechanisms_of(built->own_account(built->upstreams()[0]));
}

TEST(Preset, AnAccountTakesWhatIsForIt) {
  using enum sasl::Mechanism;
  EXPECT_THAT(mechanisms_with("gmail", false), ElementsAre(plain, login));
  EXPECT_THAT(mechanisms_with("gmail", true), ElementsAre(xoauth2, oauthbearer));
  EXPECT_THAT(mechanisms_with("office365", false), ElementsAre(login));
  EXPECT_THAT(mechanisms_with("office365", true), ElementsAre(xoauth2));
  EXPECT_THAT(mechanisms_with("outlook-personal", true), ElementsAre(xoauth2));
}

TEST(Preset, APasswordIsRefusedWhereOnlyTokensAreTaken) {
  for (const char* const name : {"office365-hve", "outlook-personal"}) {
    auto config = std::make_shared<config::Config>();
    config->upstreams = {provider(name)};
    config::Upstream& settings = config->upstreams.front();
    settings.username = "ann@example.com";
    settings.password.kind = config::SecretSource::Kind::literal;
    const Router::Built refused = Router::build(config);
    ASSERT_EQ(refused.errors.size(), 1u);
    EXPECT_EQ(refused.errors.front().text,
              fmt::format("upstream '{0}': {0} takes access tokens alone, and no password: use 'oauth2' in "
                          "place of 'password'",
                          name));
    settings.auth = {sasl::Mechanism::login};  // behind a proxy that takes one
    EXPECT_THAT(Router::build(config).errors, testing::IsEmpty());
  }
}

TEST(Preset, APresetOfEveryRegionNeedsOne) {
  for (const std::string_view name : preset_names()) {
    const Provider& provider = *find_preset(name);
    const providers::Region& first = provider.regions.front();
    EXPECT_EQ(first.name == "*" || first.host.empty(), host_of(provider, "").ok() == false) << name;
  }
}

TEST(Preset, APresetWithoutAHostSaysThatEachAccountHasItsOwn) {
  EXPECT_EQ(host_of(*find_preset("socketlabs"), "").error(),
            "'socketlabs' needs 'host': each account has its own");
  EXPECT_EQ(host_of(*find_preset("m365-connector"), "").error(),
            "'m365-connector' needs a region, such as example-com");
}

TEST(Preset, AWordMayBeFollowedByWhatTheProviderAllows) {
  const Provider& sparkpost = *find_preset("sparkpost");
  EXPECT_TRUE(may_be_username(sparkpost, "SMTP_Injection"));
  EXPECT_TRUE(may_be_username(sparkpost, "SMTP_Injection:X-MSYS-SUBACCOUNT=3"));
  for (const char* name : {"SMTP_Injection2", "app@example.com", ""})
    EXPECT_FALSE(may_be_username(sparkpost, name)) << name;
  EXPECT_FALSE(may_be_username(*find_preset("sendgrid"), "apikey2"));
}

TEST(Preset, APortThatThePresetKnowsHasItsTls) {
  config::Upstream settings = provider("smtp2go");
  settings.ports = {443, 8465, 2525, 4650};
  EXPECT_THAT(router(settings)->upstreams()[0].endpoints,
              ElementsAre(Endpoint{443, TlsMode::implicit}, Endpoint{8465, TlsMode::implicit},
                          Endpoint{2525, TlsMode::starttls}, Endpoint{4650, TlsMode::starttls}));
}

TEST(Preset, AProviderOfWhichOnlyRepliesAreKnownIsNoPreset) {
  ASSERT_NE(providers::find("cyberimpact"), nullptr);
  EXPECT_EQ(find_preset("cyberimpact"), nullptr);
}

TEST(Preset, SettingsNarrowAPreset) {
  config::Upstream settings = provider("mailgun");
  settings.tls = TlsMode::implicit;
  EXPECT_THAT(router(settings)->upstreams()[0].endpoints, ElementsAre(Endpoint{465, TlsMode::implicit}));
  settings.ports = {2525};
  settings.tls.reset();
  EXPECT_THAT(router(settings)->upstreams()[0].endpoints, ElementsAre(Endpoint{2525, TlsMode::starttls}));
  settings.host = "127.0.0.1";
  EXPECT_EQ(router(settings)->upstreams()[0].host, "127.0.0.1");
}

}  // namespace
}  // namespace relayd::route
