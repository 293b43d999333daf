#include "route/rule_index.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::route {
namespace {

using config::Network;
using config::RuleConditions;

RuleConditions of_account(std::string account) {
  RuleConditions conditions;
  conditions.account = std::move(account);
  return conditions;
}

RuleConditions of_client(const std::vector<std::string>& networks, std::vector<std::uint32_t> uids = {}) {
  RuleConditions conditions;
  for (const std::string& network : networks) conditions.clients.push_back(*Network::parse(network));
  conditions.uids = std::move(uids);
  return conditions;
}

RuleConditions of_listener(std::string listener) {
  RuleConditions conditions;
  conditions.listener = std::move(listener);
  return conditions;
}

RuleConditions of_header(std::vector<config::HeaderField> fields) {
  RuleConditions conditions;
  conditions.headers = std::move(fields);
  return conditions;
}

struct Rule {
  std::string match;
  RuleConditions conditions = {};
};

RuleIndex index_of(const std::vector<Rule>& rules) {
  RuleIndex index;
  for (std::size_t i = 0; i < rules.size(); ++i)
    EXPECT_TRUE(index.add(rules[i].match, rules[i].conditions, i));
  index.finish();
  return index;
}

// The rule, or -1.
int rule_for(const RuleIndex& index, std::string_view address, const Client& client = {},
             const HeaderValues& header = {}) {
  const RuleIndex::Found found = index.find(address, {.client = &client, .header = &header});
  EXPECT_FALSE(found.open);
  return found.rule ? static_cast<int>(*found.rule) : -1;
}

TEST(RuleIndex, OfOnePatternTheRuleThatAsksForMostIsTriedFirst) {
  RuleConditions both = of_account("app");
  both.headers = {{"X-Stream", "bulk"}};
  const RuleIndex index = index_of({{"*"}, {"*", of_account("app")}, {"*", both}});
  EXPECT_EQ(rule_for(index, "a@b"), 0);
  EXPECT_EQ(rule_for(index, "a@b", Client{"app", {}, {}}), 1);
  EXPECT_EQ(rule_for(index, "a@b", Client{"app", {}, {}}, {{"x-stream", "bulk"}}), 2);
  EXPECT_EQ(rule_for(index, "a@b", Client{"app", {}, {}}, {{"x-stream", "Bulk"}}), 1);
}

TEST(RuleIndex, OfRulesThatAskForAsMuchTheAccountCountsThenTheClientThenTheListenerThenTheHeader) {
  const RuleIndex index = index_of({{"*", of_header({{"X-A", "1"}})},
                                    {"*", of_listener("apps")},
                                    {"*", of_client({"10.0.0.0/8"})},
                                    {"*", of_account("app")}});
  EXPECT_EQ(rule_for(index, "a@b", {"app", "10.1.1.1", "apps"}, {{"x-a", "1"}}), 3);
  EXPECT_EQ(rule_for(index, "a@b", {"", "10.1.1.1", "apps"}, {{"x-a", "1"}}), 2);
  EXPECT_EQ(rule_for(index, "a@b", {"", "11.1.1.1", "apps"}, {{"x-a", "1"}}), 1);
  EXPECT_EQ(rule_for(index, "a@b", {"", "11.1.1.1", "shop"}, {{"x-a", "1"}}), 0);
  EXPECT_EQ(rule_for(index, "a@b", {"", "11.1.1.1", "shop"}), -1);
}

TEST(RuleIndex, WhoCameToNoNamedListenerFallsUnderNoRuleThatAsksForOne) {
  const RuleIndex index = index_of({{"ann@b", of_listener("apps")}, {"@b", of_listener("shop")}, {"*"}});
  EXPECT_EQ(rule_for(index, "ann@b", {{}, {}, "apps"}), 0);
  EXPECT_EQ(rule_for(index, "ann@b", {{}, {}, "shop"}), 1);
  EXPECT_EQ(rule_for(index, "ann@b", {{}, {}, "Apps"}), 2);
  EXPECT_EQ(rule_for(index, "ann@b"), 2);
}

TEST(RuleIndex, WhereNoConditionHoldsTheNextWiderPatternIsAsked) {
  const RuleIndex index = index_of({{"ann+x@mail.example.com", of_account("1")},
                                    {"ann@mail.example.com", of_account("2")},
                                    {"@mail.example.com", of_account("3")},
                                    {"@*.example.com", of_account("4")},
                                    {"@*.com", of_account("5")},
                                    {"*", of_account("6")}});
  for (int i = 1; i <= 6; ++i) {
    const std::string account = std::to_string(i);
    EXPECT_EQ(rule_for(index, "ann+x@mail.example.com", Client{account, {}, {}}), i - 1);
  }
  EXPECT_EQ(rule_for(index, "ann+x@mail.example.com", Client{"7", {}, {}}), -1);
  EXPECT_EQ(rule_for(index, "", Client{"6", {}, {}}), 5);
}

TEST(RuleIndex, TheNarrowestNetworkOfAClientIsTriedFirst) {
  const RuleIndex index = index_of({{"*", of_client({"10.0.0.0/8", "::1"})},
                                    {"*", of_client({"10.1.0.0/16"}, {1000})},
                                    {"*", of_client({"10.1.1.1"})}});
  EXPECT_EQ(rule_for(index, "a@b", Client{{}, "10.1.1.1", {}}), 2);
  EXPECT_EQ(rule_for(index, "a@b", Client{{}, "10.1.1.2", {}}), 1);
  EXPECT_EQ(rule_for(index, "a@b", Client{{}, "10.2.1.1", {}}), 0);
  EXPECT_EQ(rule_for(index, "a@b", Client{{}, "::1", {}}), 0);
  EXPECT_EQ(rule_for(index, "a@b", Client{{}, "uid:1000", {}}), 1);
  EXPECT_EQ(rule_for(index, "a@b", Client{{}, "uid:1001", {}}), -1);
  EXPECT_EQ(rule_for(index, "a@b", Client{{}, "unix", {}}), -1);
}

TEST(RuleIndex, TwoRulesMayNotAskForTheSame) {
  RuleIndex index;
  EXPECT_TRUE(index.add("*", {}, 0));
  EXPECT_FALSE(index.add("*", {}, 1));
  EXPECT_TRUE(index.add("*", of_header({{"X-A", "1"}, {"X-B", "2"}}), 2));
  EXPECT_FALSE(index.add("*", of_header({{"x-b", "2"}, {"x-a", "1"}}), 3));
  EXPECT_TRUE(index.add("*", of_header({{"X-A", "1"}, {"X-B", "3"}}), 4));
  EXPECT_TRUE(index.add("*", of_listener("apps"), 7));
  EXPECT_FALSE(index.add("*", of_listener("apps"), 8));
  EXPECT_TRUE(index.add("*", of_listener("shop"), 9));
  EXPECT_TRUE(index.add("*", of_client({"10.0.0.0/8"}), 5));
  EXPECT_FALSE(index.add("*", of_client({"11.0.0.0/8", "10.0.0.0/8"}), 6));
}

TEST(RuleIndex, WhatIsNotKnownYetLeavesItOpen) {
  const RuleIndex index = index_of({{"@a.example", of_account("app")},
                                    {"@b.example", of_header({{"X-A", "1"}})},
                                    {"@d.example", of_listener("apps")},
                                    {"*"}});
  const Client client;
  EXPECT_TRUE(index.find("x@a.example", {}).open);
  EXPECT_TRUE(index.find("x@d.example", {}).open);
  EXPECT_FALSE(index.find("x@a.example", {.client = &client}).open);
  EXPECT_TRUE(index.find("x@b.example", {.client = &client}).open);
  EXPECT_EQ(index.find("x@c.example", {}).rule, 3u);
}

// What docs/senders.md says, rule by rule.
class Naive {
 public:
  explicit Naive(const std::vector<Rule>& rules) : rules_(rules) {}

  int find(std::string_view address, const Client& client, const HeaderValues& header) const {
    int best = -1;
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const int width = this->width(rules_[i].match, std::string(address));
      if (width < 0 || !holds(rules_[i].conditions, client, header)) continue;
      if (best < 0 || rank(i, width) < rank(static_cast<std::size_t>(best),
                                            this->width(rules_[static_cast<std::size_t>(best)].match,
                                                        std::string(address))))
        best = static_cast<int>(i);
    }
    return best;
  }

 private:
  // How wide the pattern is for the address; -1: it is not for it.
  static int width(const std::string& pattern, const std::string& address) {
    if (pattern == "*") return 1000;
    const std::string domain(mail::split(address).domain);
    if (pattern == address) return 0;
    if (pattern == mail::without_tag(address)) return 1;
    if (pattern == "@" + domain) return 2;
    if (!pattern.starts_with("@*.") || !domain.ends_with(pattern.substr(2))) return -1;
    return 500 - static_cast<int>(pattern.size());
  }
  static bool holds(const RuleConditions& asked, const Client& client, const HeaderValues& header) {
    if (!asked.account.empty() && asked.account != client.account) return false;
    if (!asked.listener.empty() && asked.listener != client.listener) return false;
    const bool of_network = std::ranges::any_of(
        asked.clients, [&](const Network& network) { return network.contains(client.address); });
    if (!asked.clients.empty() && !of_network) return false;
    return std::ranges::all_of(asked.headers, [&](const config::HeaderField& field) {
      const auto value = header.find(field.name);
      return value != header.end() && value->second == field.value;
    });
  }
  std::vector<int> rank(std::size_t i, int width) const {
    const RuleConditions& asked = rules_[i].conditions;
    const auto count = static_cast<int>(asked.headers.size()) + !asked.account.empty() +
                       !asked.clients.empty() + !asked.listener.empty();
    const int network = asked.clients.empty() ? 0 : asked.clients[0].text().ends_with("/8") ? 1 : 0;
    std::vector<int> rank = {width, -count, asked.account.empty(), asked.clients.empty(),
                             asked.listener.empty()};
    for (const config::HeaderField& field : asked.headers) rank.push_back(field.name[2]);
    rank.push_back(network);
    return rank;
  }
  const std::vector<Rule>& rules_;
};

TEST(RuleIndex, FindsWhatGoingThroughAllRulesWouldFind) {
  std::mt19937 random(20);
  const auto pick = [&random](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const std::vector<std::string> patterns = {"*",    "@*.c",    "@*.b.c", "@a.b.c",
                                             "@b.c", "x@a.b.c", "x@b.c",  "x+t@a.b.c"};
  const std::vector<std::string> addresses = {"x@a.b.c", "x+t@a.b.c", "x+u@a.b.c", "y@a.b.c", "x@b.c",
                                              "y@d.b.c", "z@c",       "z@other",   ""};
  for (int round = 0; round < 300; ++round) {
    std::vector<Rule> rules;
    RuleIndex index;
    for (std::size_t i = 0; i < 20; ++i) {
      Rule rule{patterns[pick(patterns.size())], {}};
      if (pick(3) == 0) rule.conditions.account = pick(2) == 0 ? "p" : "q";
      if (pick(3) == 0)
        rule.conditions.clients.push_back(*Network::parse(pick(2) == 0 ? "10.0.0.0/8" : "10.0.0.1"));
      if (pick(4) == 0) rule.conditions.listener = pick(2) == 0 ? "l" : "m";
      for (const char* name : {"x-a", "x-b"})
        if (pick(4) == 0) rule.conditions.headers.push_back({name, pick(2) == 0 ? "1" : "2"});
      if (index.add(rule.match, rule.conditions, rules.size())) rules.push_back(std::move(rule));
    }
    index.finish();
    const Naive naive(rules);
    for (int ask = 0; ask < 100; ++ask) {
      const std::string& address = addresses[pick(addresses.size())];
      const Client client{pick(2) == 0 ? "p" : "", pick(2) == 0 ? "10.0.0.1" : "10.0.0.2",
                          pick(2) == 0 ? "l" : ""};
      HeaderValues header;
      if (pick(2) == 0) header["x-a"] = pick(2) == 0 ? "1" : "2";
      if (pick(2) == 0) header["x-b"] = "1";
      ASSERT_EQ(rule_for(index, address, client, header), naive.find(address, client, header))
          << "round " << round << ", " << address;
    }
  }
}

}  // namespace
}  // namespace relayd::route
