#include "route/senders_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "route/explain.hpp"
#include "route/router.hpp"
#include "shared/table/parse.hpp"

namespace relayd::route {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

config::Upstream upstream(std::string name) {
  config::Upstream result;
  result.name = std::move(name);
  result.host = "smtp.example.net";
  return result;
}

// A router with the upstreams a, b and c, a rule for ann@x.example to c, and the table "tenants".
std::shared_ptr<const Router> router_of(const table::Parsed& parsed) {
  auto config = std::make_shared<config::Config>();
  config->file = "relayd.yaml";
  config->upstreams = {upstream("a"), upstream("b"), upstream("c")};
  config::SenderRule& rule = config->senders.emplace_back();
  rule.match = "ann@x.example";
  rule.upstreams.push_back({.name = "c"});
  config->senders_table = "tenants";
  config::Table& settings = config->tables.emplace_back();
  settings.name = "tenants";
  settings.file = "/etc/tenants";
  auto tables = std::make_shared<table::Tables>();
  EXPECT_TRUE(parsed.table);
  tables->add("tenants", parsed.table);
  Router::Built built = Router::build(config, tables);
  for (const auto& error : built.errors) ADD_FAILURE() << error.text;
  return built.router;
}

std::string names(const Route& route) {
  std::string names;
  for (const Choice& choice : route.choices) names += (names.empty() ? "" : " ") + choice.upstream->name;
  return names;
}

TEST(SendersTable, IsAskedByAddressThenDomainWhereNoRuleMatches) {
  const auto router =
      router_of(table::parse_texthash("ann@x.example b\nbob@x.example b\nbob+t@x.example c\n@x.example a\n"));
  EXPECT_EQ(names(router->route("ann@x.example")), "c");
  EXPECT_EQ(names(router->route("BOB@X.example")), "b");
  EXPECT_EQ(names(router->route("bob+t@x.example")), "c");
  EXPECT_EQ(names(router->route("bob+u@x.example")), "b");
  EXPECT_EQ(names(router->route("carl@x.example")), "a");
  EXPECT_FALSE(router->route("carl@y.example").rule);
  EXPECT_FALSE(router->route("").rule);
}

TEST(SendersTable, AValueNamesUpstreamsInTheirOrder) {
  const auto router =
      router_of(table::parse_texthash("@x.example b , a\n@y.example a, b\n@z.example b , a\n"));
  EXPECT_EQ(names(router->route("bob@x.example")), "b a");
  EXPECT_EQ(names(router->route("bob@y.example")), "a b");
  EXPECT_EQ(router->route("bob@x.example").way, router->route("bob@z.example").way);
  EXPECT_NE(router->route("bob@x.example").way, router->route("bob@y.example").way);
  EXPECT_LT(router->route("bob@y.example").way, router->ways());
  EXPECT_THAT(parse_upstreams(" a ,b").value(), ElementsAre("a", "b"));
  for (const char* const bad : {"", ",", "a,", "a,,b", "a,a"}) EXPECT_FALSE(parse_upstreams(bad)) << bad;
}

TEST(SendersTable, WhatNamesAnUnknownUpstreamGoesNowhereElse) {
  const auto router = router_of(table::parse_texthash("@x.example a\nbob@x.example a, bb\n"));
  const Route route = router->route("bob@x.example");
  EXPECT_TRUE(route.rule && route.by_table && route.choices.empty() && route.reject.empty());
  EXPECT_EQ(router->trouble_of("bob@x.example"),
            "table 'tenants', key 'bob@x.example': there is no upstream 'bb'");
}

// A value that is not known beforehand: of a table of patterns, by a group.
TEST(SendersTable, AValueThatNobodyHasSeenGoesNowhereElse) {
  const auto router = router_of(table::parse_regexp("/@(.*)$/ $1\n"));
  EXPECT_TRUE(router->route("bob@x.example").by_table);
  EXPECT_EQ(names(router->route("bob@x.example")), "");
}

TEST(SendersTable, ExplainShowsKeyFileAndLine) {
  const auto router = router_of(table::parse_texthash("# ours\n@x.example b\n@y.example b\n@z.example d\n"));
  const auto told = [&router](std::string_view sender) { return explain(*router, {.sender = sender}); };
  EXPECT_THAT(told("bob@y.example"),
              HasSubstr("rule       table 'tenants', key \"@y.example\" (/etc/tenants:3)\n"
                        "1. b\n"));
  EXPECT_THAT(
      told("bob@z.example"),
      HasSubstr(
          "(/etc/tenants:4)\n   waits      table 'tenants', key '@z.example': there is no upstream 'd'\n"));
  EXPECT_THAT(told("ann@x.example"), HasSubstr("rule       \"ann@x.example\""));
}

TEST(SendersTable, MayBeLargeAndHasAWayForEachValue) {
  std::string text;
  for (int i = 0; i < 20'000; ++i)
    text += "user" + std::to_string(i) + "@x.example " + (i % 2 == 0 ? "a" : "b") + "\n";
  const auto router = router_of(table::parse_texthash(text));
  EXPECT_EQ(names(router->route("user7777@x.example")), "b");
  EXPECT_LE(router->ways(), 5U);
}

}  // namespace
}  // namespace relayd::route
