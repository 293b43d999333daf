#include "route/router.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace relayd::route {
namespace {

using config::TlsMode;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

config::SecretSource literal(std::string text) {
  config::SecretSource source;
  source.kind = config::SecretSource::Kind::literal;
  source.literal = Secret(std::move(text));
  return source;
}

config::Upstream upstream(std::string name) {
  config::Upstream result;
  result.name = std::move(name);
  result.host = "smtp.example.net";
  result.username = "relay";
  result.password = literal("secret");
  return result;
}

config::Upstream provider(std::string name, std::string region = "") {
  config::Upstream result;
  result.name = name;
  result.provider = std::move(name);
  result.region = std::move(region);
  result.where = {7, 3};
  return result;
}

config::SenderRule rule(std::string match, std::vector<std::string> upstreams) {
  config::SenderRule result;
  result.match = std::move(match);
  for (std::string& name : upstreams) result.upstreams.push_back({.name = std::move(name)});
  return result;
}

// An upstream of a rule with an account of its own.
config::RuleUpstream at(std::string name, std::string username, std::string password) {
  return {.name = std::move(name),
          .username = std::move(username),
          .password = literal(std::move(password)),
          .where = {9, 5}};
}

Router::Built build(std::vector<config::Upstream> upstreams, std::vector<config::SenderRule> rules = {}) {
  auto config = std::make_shared<config::Config>();
  config->file = "relayd.yaml";
  config->upstreams = std::move(upstreams);
  config->senders = std::move(rules);
  return Router::build(config);
}

std::shared_ptr<const Router> router(std::vector<config::Upstream> upstreams,
                                     std::vector<config::SenderRule> rules = {}) {
  Router::Built built = build(std::move(upstreams), std::move(rules));
  for (const auto& error : built.errors) ADD_FAILURE() << error.text;
  return built.router;
}

// What is wrong with one upstream, as the user reads it.
std::string complaint(config::Upstream settings) {
  const Router::Built built = build({std::move(settings)});
  EXPECT_EQ(built.router, nullptr);
  return built.errors.size() == 1 ? built.errors.front().text : "";
}

TEST(Router, ThreeOutcomes) {
  config::SenderRule refuse = rule("@bad.example", {});
  refuse.reject = "550 5.7.1 Not from here";
  const auto built = router({upstream("a"), upstream("b")}, {rule("@example.com", {"b", "a"}), refuse});

  const Route chosen = built->route("x@example.com");
  EXPECT_EQ(chosen.rule->match, "@example.com");
  ASSERT_EQ(chosen.choices.size(), 2u);
  EXPECT_EQ(chosen.choices[0].upstream->name, "b");
  EXPECT_EQ(chosen.choices[1].upstream->name, "a");

  EXPECT_EQ(built->route("x@bad.example").reject, "550 5.7.1 Not from here");
  EXPECT_TRUE(built->route("x@bad.example").choices.empty());
  EXPECT_EQ(built->route("x@other.example").rule, nullptr);
}

TEST(Router, CredentialOfTheRuleHoldsAtItsOneUpstream) {
  config::SenderRule own = rule("a@example.com", {"x"});
  own.username = "own";
  own.password = literal("other");
  const auto built = router({upstream("x"), upstream("y")}, {own, rule("*", {"x"})});
  ASSERT_EQ(built->route("a@example.com").choices.size(), 1u);
  EXPECT_EQ(built->route("a@example.com").choices[0].username, "own");
  EXPECT_EQ(built->route("a@example.com").choices[0].password->literal.reveal(), "other");
  EXPECT_EQ(built->route("b@example.com").choices[0].username, "relay");
  EXPECT_EQ(&built->own_account(*built->upstream("y")), &built->own_account(built->upstreams()[1]));
}

TEST(Router, CredentialBesideAnUpstreamHoldsThereAlone) {
  config::SenderRule both = rule("*", {});
  both.upstreams = {at("x", "shop-at-x", "secret-of-x"), {.name = "y"}, at("z", "shop-at-z", "secret-of-z")};
  both.upstreams[0].next_password = literal("soon-at-x");
  const auto built = router({upstream("x"), upstream("y"), upstream("z")}, {both});
  const auto choices = built->route("a@b").choices;
  ASSERT_EQ(choices.size(), 3u);
  EXPECT_EQ(choices[0].username, "shop-at-x");
  EXPECT_EQ(choices[0].password->literal.reveal(), "secret-of-x");
  EXPECT_EQ(choices[0].next_password->literal.reveal(), "soon-at-x");
  EXPECT_EQ(choices[0].where.line, 9);
  EXPECT_EQ(choices[1].username, "relay");
  EXPECT_EQ(choices[1].password->literal.reveal(), "secret");
  EXPECT_EQ(choices[2].username, "shop-at-z");
  EXPECT_EQ(choices[2].password->literal.reveal(), "secret-of-z");
  EXPECT_EQ(choices[2].next_password, nullptr);
}

// --- access tokens ---

config::OAuth2 by_command(std::string user) {
  config::OAuth2 oauth2;
  oauth2.token_command = {"/usr/local/bin/get-token"};
  oauth2.user_is_sender = user == "sender";
  if (!oauth2.user_is_sender) oauth2.user = std::move(user);
  return oauth2;
}

config::Upstream with_tokens(std::string name, std::string user) {
  config::Upstream result = upstream(std::move(name));
  result.password = {};
  result.oauth2 = by_command(std::move(user));
  return result;
}

TEST(Router, AnAccountWithTokensHasNoOtherMechanisms) {
  using enum sasl::Mechanism;
  config::Upstream named = with_tokens("y", "ann");
  named.auth = {oauthbearer};
  const auto built = router({with_tokens("x", "ann"), named, upstream("z")});
  EXPECT_THAT(mechanisms_of(built->own_account(*built->upstream("x"))), ElementsAre(xoauth2, oauthbearer));
  EXPECT_THAT(mechanisms_of(built->own_account(*built->upstream("y"))), ElementsAre(oauthbearer));
  const auto with_password = mechanisms_of(built->own_account(*built->upstream("z")));
  EXPECT_FALSE(std::ranges::any_of(with_password, sasl::takes_token));
}

TEST(Router, MechanismsThatDoNotFitTheAccountAreRefused) {
  config::Upstream password = upstream("x");
  password.auth = {sasl::Mechanism::xoauth2};
  EXPECT_THAT(complaint(password), HasSubstr("no mechanism for an account with a password"));
  config::Upstream token = with_tokens("x", "ann");
  token.auth = {sasl::Mechanism::plain};
  EXPECT_THAT(complaint(token), HasSubstr("no mechanism for an account with oauth2"));
}

TEST(Router, ALoginIsForTheUserThatIsNamedOrForTheSender) {
  config::SenderRule own = rule("a@example.com", {});
  own.upstreams = {{.name = "x", .oauth2 = by_command("bob")}};
  const auto built =
      router({with_tokens("x", "ann"), with_tokens("y", "sender")}, {own, rule("*", {"x", "y"})});
  const auto of_rule = built->route("a@example.com").choices;
  const auto of_all = built->route("b@example.com").choices;
  EXPECT_EQ(user_of(of_rule[0], "a@example.com"), "bob");
  EXPECT_EQ(user_of(of_all[0], "b@example.com"), "ann");
  EXPECT_EQ(user_of(of_all[1], "b@example.com"), "b@example.com");
  EXPECT_NE(of_rule[0].id, of_all[0].id);
  EXPECT_FALSE(of_all[0].is_of_sender());
  EXPECT_TRUE(of_all[1].is_of_sender());
}

TEST(Router, TheUsernameOfTheAccountIsTheUserUnlessOneIsNamed) {
  const auto built = router({with_tokens("x", "")});
  EXPECT_EQ(built->own_account(*built->upstream("x")).username, "relay");
}

// Also for a configuration that nobody has checked.
TEST(Router, CredentialOfARuleIsForOneUpstream) {
  config::SenderRule own = rule("*", {"x", "y"});
  own.username = "own";
  own.password = literal("other");
  const Router::Built built = build({upstream("x"), upstream("y")}, {own});
  EXPECT_EQ(built.router, nullptr);
  ASSERT_EQ(built.errors.size(), 1u);
  EXPECT_THAT(built.errors[0].text, HasSubstr("for one upstream"));
}

TEST(Router, LanesAreSharedByEqualCredentialsOnly) {
  const auto own = [](std::string match, std::string username, std::string password, std::string next = "") {
    config::SenderRule result = rule(std::move(match), {"x"});
    result.username = std::move(username);
    result.password = literal(std::move(password));
    if (!next.empty()) result.next_password = literal(std::move(next));
    return result;
  };
  config::Upstream open = upstream("open");
  open.username.reset();
  const auto built = router({upstream("x"), upstream("y"), open},
                            {rule("*", {"x", "y", "open"}), own("a@b", "relay", "secret"),
                             own("c@d", "relay", "changed"), own("e@f", "other", "secret"),
                             own("g@h", "relay", "changed"), own("i@j", "relay", "secret", "changed")});
  const auto id = [&built](std::string_view sender, std::size_t choice = 0) {
    return built->route(sender).choices[choice].id;
  };
  EXPECT_EQ(id("a@b"), id(""));
  EXPECT_EQ(id("g@h"), id("c@d"));
  const std::set<std::string> different = {id(""), id("", 1), id("", 2), id("c@d"), id("e@f"), id("i@j")};
  EXPECT_EQ(different.size(), 6u);
  for (const std::string& text : different) EXPECT_EQ(text.find("secret"), std::string::npos);
}

// What is kept over restarts goes by the id: it must not change with another upstream's accounts.
TEST(Router, AnAccountsIdDoesNotDependOnOtherUpstreams) {
  config::SenderRule first = rule("a@b", {});
  first.upstreams = {at("x", "ann", "secret-of-x"), at("y", "ann", "secret-of-y")};
  config::SenderRule alone = rule("c@d", {});
  alone.upstreams = {at("y", "ann", "secret-of-y")};
  const auto [built, errors] = build({upstream("x"), upstream("y")}, {first});
  ASSERT_TRUE(built);
  const auto [without, none] = build({upstream("x"), upstream("y")}, {alone});
  ASSERT_TRUE(without);
  EXPECT_EQ(built->route("a@b").choices[1].id, without->route("c@d").choices[0].id);
}

TEST(Router, NoLoginWithoutUsername) {
  config::Upstream open = upstream("x");
  open.username.reset();
  const auto built = router({open}, {rule("*", {"x"})});
  EXPECT_FALSE(built->route("a@b").choices[0].login);
  EXPECT_EQ(built->route("a@b").choices[0].password, nullptr);
}

TEST(Router, NextPasswordIsThatOfTheAccount) {
  config::Upstream settings = upstream("x");
  settings.next_password = literal("soon");
  config::SenderRule own = rule("a@b", {"x"});
  own.username = "own";
  own.password = literal("other");
  const auto built = router({settings}, {own, rule("*", {"x"})});
  EXPECT_EQ(built->route("c@d").choices[0].next_password->literal.reveal(), "soon");
  EXPECT_EQ(built->route("a@b").choices[0].next_password, nullptr);
  EXPECT_TRUE(built->route("a@b").choices[0].login);
}

TEST(Router, ExternalLogsInWithoutAPassword) {
  config::Upstream settings = upstream("x");
  settings.auth = {sasl::Mechanism::external};
  settings.username.reset();
  settings.password = {};
  EXPECT_TRUE(router({settings}, {rule("*", {"x"})})->route("a@b").choices[0].login);
  settings.username = "relay";
  const auto built = router({settings}, {rule("*", {"x"})});
  EXPECT_EQ(built->route("a@b").choices[0].username, "relay");
  EXPECT_EQ(built->route("a@b").choices[0].password, nullptr);
}

TEST(Router, Defaults) {
  const auto built = router({upstream("x")});
  const Upstream& x = built->upstreams().front();
  EXPECT_EQ(x.host, "smtp.example.net");
  EXPECT_THAT(x.endpoints, ElementsAre(Endpoint{587, TlsMode::starttls}));
  EXPECT_EQ(to_string(x.mechanisms),
            "scram-sha-256-plus, scram-sha-256, scram-sha-1-plus, scram-sha-1, plain, login");
  EXPECT_EQ(to_string(x.retry_next_on), "connect, tls, auth, quota, rate, sender");
  EXPECT_EQ(x.limits.connections, 10u);
  EXPECT_EQ(x.limits.message_size, std::nullopt);
  EXPECT_THAT(x.limits.rate, IsEmpty());
  EXPECT_THAT(x.limits.quota, IsEmpty());
  EXPECT_EQ(x.pipelining, config::Pipelining::ahead);
  EXPECT_EQ(x.preset, nullptr);
}

TEST(Router, TlsGoesByThePortUnlessItIsSaid) {
  config::Upstream settings = upstream("x");
  settings.ports = {587, 465, 2465, 994, 25, 80};
  EXPECT_THAT(router({settings})->upstreams()[0].endpoints,
              ElementsAre(Endpoint{587, TlsMode::starttls}, Endpoint{465, TlsMode::implicit},
                          Endpoint{2465, TlsMode::implicit}, Endpoint{994, TlsMode::implicit},
                          Endpoint{25, TlsMode::starttls}, Endpoint{80, TlsMode::starttls}));
  settings.tls = TlsMode::none;
  settings.ports = {465};
  EXPECT_THAT(router({settings})->upstreams()[0].endpoints, ElementsAre(Endpoint{465, TlsMode::none}));
  settings.ports.clear();
  EXPECT_THAT(router({settings})->upstreams()[0].endpoints, ElementsAre(Endpoint{25, TlsMode::none}));
  settings.tls = TlsMode::implicit;
  EXPECT_THAT(router({settings})->upstreams()[0].endpoints, ElementsAre(Endpoint{465, TlsMode::implicit}));
}

TEST(Router, MxHostsHavePort25UnlessAnotherIsGiven) {
  config::Upstream settings = upstream("x");
  settings.mx = true;
  const auto endpoints = [&settings] { return router({settings})->upstreams()[0].endpoints; };
  EXPECT_TRUE(router({settings})->upstreams()[0].by_dns());
  EXPECT_THAT(endpoints(), ElementsAre(Endpoint{25, TlsMode::starttls}));
  settings.provider = "mailgun";  // whose ports are those of its own host
  EXPECT_THAT(endpoints(), ElementsAre(Endpoint{25, TlsMode::starttls}));
  settings.tls = TlsMode::implicit;
  EXPECT_THAT(endpoints(), ElementsAre(Endpoint{465, TlsMode::implicit}));
  settings.ports = {2525};
  EXPECT_THAT(endpoints(), ElementsAre(Endpoint{2525, TlsMode::implicit}));
}

TEST(Router, SrvAsksForBothWaysOfSubmissionOrForTheOneThatTlsSays) {
  config::Upstream settings = upstream("x");
  settings.srv = true;
  const std::shared_ptr<const Router> both = router({settings});
  EXPECT_TRUE(both->upstreams()[0].by_dns());
  EXPECT_THAT(both->upstreams()[0].services, ElementsAre(TlsMode::implicit, TlsMode::starttls));
  EXPECT_EQ(both->upstreams()[0].endpoints.size(), 1U);
  settings.tls = TlsMode::starttls;
  EXPECT_THAT(router({settings})->upstreams()[0].services, ElementsAre(TlsMode::starttls));
}

TEST(Router, FileGoesOverPresetGoesOverDefault) {
  config::Upstream settings = provider("sendgrid");
  settings.limits.connections = 3;
  settings.limits.recipients_per_message = 50;
  settings.limits.rate = std::vector<config::Rate>{{14, std::chrono::seconds(1)}};
  settings.limits.quota = std::vector<config::Quota>{{50'000, config::Quota::Period::day}};
  settings.limits.quota_total = settings.limits.quota;
  settings.limits.recipients_per_connection = 500;
  settings.pipelining = config::Pipelining::off;
  settings.auth = {sasl::Mechanism::plain};
  settings.retry_next_on = {smtp::ReplyClass::connect};
  const auto built = router({settings});
  const Upstream& x = built->upstreams()[0];
  EXPECT_EQ(x.limits.connections, 3u);
  EXPECT_EQ(x.limits.recipients_per_message, 50u);
  EXPECT_EQ(x.limits.messages_per_connection, 5000u);
  EXPECT_EQ(x.limits.idle, std::chrono::seconds(30));
  EXPECT_EQ(x.limits.rate, *settings.limits.rate);
  EXPECT_EQ(x.limits.quota, *settings.limits.quota);
  EXPECT_EQ(x.limits.quota_total, *settings.limits.quota);
  EXPECT_EQ(x.limits.recipients_per_connection, 500u);
  EXPECT_EQ(x.pipelining, config::Pipelining::off);
  EXPECT_THAT(x.mechanisms, ElementsAre(sasl::Mechanism::plain));
  EXPECT_EQ(x.retry_next_on, smtp::ReplyClasses{smtp::ReplyClass::connect});
}

TEST(Router, AnEmptyListLiftsAPresetsLimits) {
  config::Upstream settings = provider("office365");
  settings.limits.rate.emplace();
  settings.limits.quota.emplace();
  const auto built = router({settings});
  EXPECT_THAT(built->upstreams()[0].limits.rate, IsEmpty());
  EXPECT_THAT(built->upstreams()[0].limits.quota, IsEmpty());
}

TEST(Router, Sandbox) {
  config::Upstream capture;
  capture.name = "capture";
  capture.sandbox_directory = "captured";
  const auto built = router({capture}, {rule("*", {"capture"})});
  EXPECT_EQ(built->route("a@b").choices[0].upstream->sandbox_directory, "captured");
  EXPECT_TRUE(built->upstreams()[0].endpoints.empty());
}

TEST(Router, ComplaintsSayWhatToChange) {
  EXPECT_THAT(complaint(provider("mailgum")),
              HasSubstr("unknown provider 'mailgum' (did you mean 'mailgun'?)"));
  EXPECT_THAT(complaint(provider("mailgun", "asia")),
              HasSubstr("unknown region 'asia' of 'mailgun': it has us, eu"));
  EXPECT_THAT(complaint(provider("sendcloud", "us")), HasSubstr("has no regions"));
  EXPECT_THAT(complaint(provider("ses")), HasSubstr("'ses' needs a region, such as eu-west-1"));
  for (const char* const region : {"eu west", "eu-west-1.evil.example", "-", "EU-WEST-1"})
    EXPECT_THAT(complaint(provider("ses", region)), HasSubstr("is not a region of 'ses'"));
  config::Upstream nowhere = upstream("x");
  nowhere.host.reset();
  EXPECT_THAT(complaint(nowhere),
              HasSubstr("upstream 'x': it has neither provider, host, maildir nor sandbox"));
}

TEST(Router, ComplaintsHaveAPlace) {
  const Router::Built built = build({provider("mailgum"), provider("nothing")});
  ASSERT_EQ(built.errors.size(), 2u);
  EXPECT_EQ(built.errors[0].file, "relayd.yaml");
  EXPECT_EQ(built.errors[0].where.line, 7);
  EXPECT_EQ(built.errors[0].where.column, 3);
}

TEST(Router, UsernameThatTheProviderNeverTakes) {
  config::Upstream settings = provider("sendgrid");
  settings.username = "me@example.com";
  settings.password = literal("x");
  EXPECT_THAT(complaint(settings), HasSubstr("the word apikey"));
  settings.username = "apikey";
  router({settings});
  config::SenderRule own = rule("*", {"sendgrid"});
  own.username = "me";
  own.password = literal("y");
  own.where = {9, 1};
  const Router::Built built = build({settings}, {own});
  ASSERT_EQ(built.errors.size(), 1u);
  EXPECT_EQ(built.errors[0].where.line, 9);
  settings.host = "127.0.0.1";
  settings.username = "me";
  router({settings});
}

TEST(Router, UsernamesThatOneProviderTakesAndAnotherDoesNot) {
  const auto with_username = [](std::string name, std::string username) {
    config::Upstream settings = provider(std::move(name));
    if (settings.name == "ses") settings.region = "eu-west-1";
    settings.username = std::move(username);
    settings.password = literal("x");
    return settings;
  };
  for (const char* const name : {"mailgun", "gmail", "office365"}) {
    EXPECT_THAT(complaint(with_username(name, "postmaster")), HasSubstr("the full ")) << name;
    EXPECT_NE(router({with_username(name, "me@example.com")}), nullptr) << name;
  }
  EXPECT_THAT(complaint(with_username("ses", "me@example.com")), HasSubstr("the SMTP credentials"));
  EXPECT_NE(router({with_username("ses", "AKIAEXAMPLE")}), nullptr);
  for (const char* const username : {"me", "me@example.com"})
    EXPECT_NE(router({with_username("sendcloud", username)}), nullptr);
}

TEST(Router, BrokenReferencesAreFound) {
  const Router::Built built = build({upstream("x")}, {rule("*", {"y"}), rule("*", {"x"})});
  ASSERT_EQ(built.errors.size(), 2u);
  EXPECT_EQ(built.errors[0].text, "unknown upstream 'y'");
  EXPECT_EQ(built.errors[1].text, "duplicate match '*'");
}

TEST(Router, OutlivesTheCallersConfiguration) {
  std::shared_ptr<const Router> kept;
  {
    config::SenderRule own = rule("*", {"x"});
    own.username = "own";
    own.password = literal("p");
    kept = router({upstream("x")}, {own});
  }
  EXPECT_EQ(kept->route("a@b").choices[0].password->literal.reveal(), "p");
}

}  // namespace
}  // namespace relayd::route
