#include "shared/mail/rule_matcher.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

namespace relayd::mail {
namespace {

// The rules are numbers: 0 and 1 have the patterns, the others the tables, whose keys these are.
struct RuleMatcherTest : testing::Test {
  // RULE, with the value and the key of a table, and the tag that was dropped.
  std::string found(std::string_view address) {
    const auto ask = [this](std::size_t rule, std::string_view key) -> std::optional<std::string> {
      asked_ += fmt::format("{}{}:{}", asked_.empty() ? "" : " ", rule, key);
      const auto row = rows_.find(fmt::format("{}:{}", rule, key));
      return row == rows_.end() ? std::nullopt : std::optional(row->second);
    };
    const std::optional<RuleMatcher::Found> match = rules_.find(address, ask);
    if (!match) return "none";
    return fmt::format("{} {} {} {}", match->rule, match->value.value_or("-"), match->key, match->tag);
  }

  RuleMatcher rules_;
  std::map<std::string, std::string> rows_;
  std::string asked_;
};

TEST_F(RuleMatcherTest, ANarrowerKeyOfATableComesBeforeAWiderPattern) {
  rules_.add("@x", 0);
  rules_.add("ann@x", 1);
  rules_.add_table(2);
  rows_ = {{"2:ann@x", "t"}, {"2:ann+a@x", "u"}, {"2:bob@x", "v"}, {"2:@x", "w"}, {"2:@y", "z"}};
  EXPECT_EQ(found("ann@x"), "1 -  ");
  EXPECT_EQ(found("ann+a@x"), "2 u ann+a@x ");
  EXPECT_EQ(found("ann+b@x"), "1 -  +b");
  EXPECT_EQ(found("bob+B@x"), "2 v bob@x +B");
  EXPECT_EQ(found("eve@x"), "0 -  ");
  EXPECT_EQ(found("eve@y"), "2 z @y ");
  EXPECT_EQ(found("eve@z"), "none");
}

TEST_F(RuleMatcherTest, WhatATableKnowsComesBeforeParentsAndTheStar) {
  rules_.add("*", 0);
  rules_.add("@*.x", 1);
  rules_.add_table(2);
  rows_ = {{"2:@a.x", "t"}};
  EXPECT_EQ(found("ann@a.x"), "2 t @a.x ");
  EXPECT_EQ(found("ann@b.x"), "1 -  ");
  EXPECT_EQ(found("ann@y"), "0 -  ");
}

TEST_F(RuleMatcherTest, TheFirstOfTwoTablesCounts) {
  rules_.add_table(2);
  rules_.add_table(3);
  rows_ = {{"3:ann@x", "narrow"}, {"2:@x", "wide"}, {"3:@x", "late"}};
  EXPECT_EQ(found("ann@x"), "3 narrow ann@x ");
  EXPECT_EQ(found("bob@x"), "2 wide @x ");
}

// A pattern's group keeps the local part as it was written, and knows domains as DNS has them.
TEST_F(RuleMatcherTest, ATableIsAskedForTheLookupSpelling) {
  rules_.add_table(2);
  found(
      "\"Ann+T\"@B\xc3\xbc"
      "cher.example");
  EXPECT_EQ(asked_, "2:Ann+T@xn--bcher-kva.example 2:Ann@xn--bcher-kva.example 2:@xn--bcher-kva.example");
  asked_.clear();
  found("\"Ann+ T\"@x");
  EXPECT_EQ(asked_, "2:\"Ann+ T\"@x 2:@x");
  asked_.clear();
  found("root");
  EXPECT_EQ(asked_, "2:root");
}

TEST_F(RuleMatcherTest, TheNullSenderFallsUnderTheStarAlone) {
  rules_.add_table(2);
  EXPECT_EQ(found(""), "none");
  EXPECT_EQ(asked_, "");
  rules_.add("*", 0);
  EXPECT_EQ(found(""), "0 -  ");
}

TEST_F(RuleMatcherTest, WithoutTablesNobodyIsAsked) {
  EXPECT_TRUE(rules_.empty());
  rules_.add("ann@x", 0);
  EXPECT_FALSE(rules_.empty());
  EXPECT_EQ(found("Ann+Tag@x"), "0 -  +Tag");
  EXPECT_EQ(found("bob@x"), "none");
  EXPECT_EQ(asked_, "");
}

}  // namespace
}  // namespace relayd::mail
