// Routes by recipient, by what else rules ask for, and by shares.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "route/router.hpp"

namespace relayd::route {
namespace {

config::Upstream upstream(std::string name) {
  config::Upstream result;
  result.name = std::move(name);
  result.host = "smtp.example.net";
  return result;
}

config::SenderRule rule(std::string match, std::vector<std::string> upstreams) {
  config::SenderRule result;
  result.match = std::move(match);
  for (std::string& name : upstreams) result.upstreams.push_back({.name = std::move(name)});
  return result;
}

// A router with these rules of recipients, and of senders.
std::shared_ptr<const Router> router_of(std::vector<config::SenderRule> recipients,
                                        std::vector<config::SenderRule> senders) {
  auto config = std::make_shared<config::Config>();
  config->upstreams = {upstream("a"), upstream("b"), upstream("c")};
  config->recipients = std::move(recipients);
  config->senders = std::move(senders);
  Router::Built built = Router::build(config);
  for (const auto& error : built.errors) ADD_FAILURE() << error.text;
  return built.router;
}

TEST(Ways, RulesOfRecipientsComeFirst) {
  config::SenderRule refuse = rule("@gone.example", {});
  refuse.reject = "550 5.1.2 Gone";
  const auto built = router_of({rule("@lists.example", {"b"}), refuse}, {rule("@example.com", {"a"})});
  const auto route = [&](std::string_view sender, std::string_view recipient) {
    return built->route({.sender = sender, .recipient = recipient});
  };
  EXPECT_EQ(route("x@example.com", "y@lists.example").choices[0].upstream->name, "b");
  EXPECT_EQ(route("x@nowhere.example", "y@lists.example").choices[0].upstream->name, "b");
  EXPECT_EQ(route("x@example.com", "y@other.example").choices[0].upstream->name, "a");
  EXPECT_EQ(route("x@nowhere.example", "y@other.example").rule, nullptr);
  EXPECT_EQ(route("x@example.com", "y@gone.example").reject, "550 5.1.2 Gone");
}

TEST(Ways, ARouteIsOpenWhileWhatItDependsOnIsNotKnown) {
  const auto built = router_of({rule("@lists.example", {"b"})}, {rule("*", {"a"})});
  EXPECT_TRUE(built->route("x@example.com").open);
  EXPECT_FALSE(built->route({.recipient = "y@lists.example"}).open);
  EXPECT_TRUE(built->route({.recipient = "y@other.example"}).open);
  EXPECT_FALSE(router_of({}, {rule("*", {"a"})})->route("x@example.com").open);
}

TEST(Ways, TwoWaysAreOneWhereLanesAndChangesAre) {
  config::SenderRule changes = rule("@changed.example", {"a"});
  changes.changes.headers.subject_prefix = "[x]";
  const auto built = router_of(
      {rule("@one.example", {"a"}), rule("@two.example", {"b"}), rule("@both.example", {"b", "a"}), changes},
      {rule("*", {"a"})});
  const auto way = [&](std::string_view recipient) {
    const Route route = built->route({.sender = "x@y.example", .recipient = recipient});
    EXPECT_LT(route.way, built->ways());
    return route.way;
  };
  EXPECT_EQ(way("x@one.example"), way("x@other.example"));
  const std::set<std::size_t> ways = {way("x@one.example"), way("x@two.example"), way("x@both.example"),
                                      way("x@changed.example")};
  EXPECT_EQ(ways.size(), 4u);
}

TEST(Ways, WeightsShareMessagesAndTheOthersFollow) {
  config::SenderRule weighted = rule("*", {"a", "b", "c"});
  weighted.upstreams[0].weight = 90;
  weighted.upstreams[1].weight = 10;
  const auto built = router_of({}, {weighted});
  std::map<std::string, int> counts;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const Mail mail{.number = 1'700'000'000'000'000 + i * 1000, .sender = "x@y.example"};
    const Route route = built->route(mail);
    std::string order;
    for (const Choice& choice : route.choices) order += choice.upstream->name;
    ++counts[order];
    EXPECT_EQ(built->route(mail).choices.data(), route.choices.data());
  }
  EXPECT_NEAR(counts["abc"], 9000, 150);
  EXPECT_NEAR(counts["bac"], 1000, 150);
  EXPECT_EQ(counts.size(), 2u);
}

TEST(Ways, FieldsThatRulesAskForAreReadFromTheHeader) {
  config::SenderRule bulk = rule("*", {"b"});
  bulk.conditions.headers = {{"X-Stream", "bulk mail"}};
  const auto built = router_of({bulk}, {rule("*", {"a"})});
  EXPECT_TRUE(built->asks_header());
  const HeaderValues values =
      built->header_values("Subject: x\r\nx-stream:\tbulk\r\n mail \r\nX-Stream: other\r\n\r\n");
  EXPECT_EQ(values, (HeaderValues{{"x-stream", "bulk mail"}}));
  const Client client;
  const auto first = [&](const HeaderValues& header) {
    return built->route({.sender = "x@y", .recipient = "z@y", .client = &client, .header = &header})
        .choices[0]
        .upstream->name;
  };
  EXPECT_EQ(first(values), "b");
  EXPECT_EQ(first({}), "a");
}

TEST(Ways, TwoRulesThatAskForTheSameAreAnError) {
  auto config = std::make_shared<config::Config>();
  config->upstreams = {upstream("a")};
  config::SenderRule first = rule("*", {"a"});
  first.conditions.account = "app";
  config->senders = {rule("*", {"a"}), first, first};
  config->senders[2].where = {7, 3};
  const Router::Built built = Router::build(config);
  ASSERT_EQ(built.errors.size(), 1u);
  EXPECT_EQ(built.errors[0].where.line, 7);
  EXPECT_EQ(built.errors[0].text, "duplicate match '*': another rule asks for the same");
}

}  // namespace
}  // namespace relayd::route
