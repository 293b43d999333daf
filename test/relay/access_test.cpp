#include "relay/access.hpp"

#include <gtest/gtest.h>

#include "shared/table/parse.hpp"

namespace relayd {
namespace {

using enum config::AccessVerdict;

config::AccessRule by_table(std::string name) {
  config::AccessRule rule;
  rule.table = std::move(name);
  return rule;
}

Access access() {
  auto tables = std::make_shared<table::Tables>();
  tables->add("known",
              table::parse_texthash("ann@x.example reject\n@y.example HOLD\n\"a b\"@z discard\n").table);
  tables->add("robots", table::parse_regexp("/^no-?reply@/ discard\n").table);
  config::Access rules;
  rules.senders = {{"*", "", reject}, {"@x.example", "", accept}, by_table("known"), by_table("robots")};
  rules.recipients = {by_table("robots")};
  return Access(rules, tables);
}

TEST(Access, ATableStandsAmongPatterns) {
  const Access rules = access();
  EXPECT_EQ(rules.sender("Ann+tag@X.example"), reject);
  EXPECT_EQ(rules.sender("bob@x.example"), accept);
  EXPECT_EQ(rules.sender("bob@y.example"), hold);
  EXPECT_EQ(rules.sender("noreply@y.example"), discard) << "a narrower key in a later table";
  EXPECT_EQ(rules.sender("\"A b\"@z"), discard);
  EXPECT_EQ(rules.sender("bob@w.example"), reject);
  EXPECT_EQ(rules.sender(""), reject) << "the null sender is no key";
  EXPECT_EQ(rules.recipient("No-Reply@x.example"), discard);
  EXPECT_EQ(rules.recipient("ann@x.example"), accept);
}

TEST(Access, TheRuleAndItsKeyAreKnown) {
  const Access rules = access();
  EXPECT_EQ(rules.rule_of_sender("bob@y.example").rule->table, "known");
  EXPECT_EQ(rules.rule_of_sender("bob@y.example").key, "@y.example");
  EXPECT_EQ(rules.rule_of_sender("bob@x.example").rule->match, "@x.example");
  EXPECT_EQ(rules.rule_of_recipient("ann@x.example").rule, nullptr);
}

}  // namespace
}  // namespace relayd
