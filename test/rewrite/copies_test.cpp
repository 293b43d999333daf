#include "rewrite/copies.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "shared/table/parse.hpp"

namespace relayd::rewrite {
namespace {

config::Bcc rule(std::string match, std::vector<std::string> to, bool of_recipient = false) {
  config::Bcc rule;
  rule.match = std::move(match);
  rule.of_recipient = of_recipient;
  rule.to = std::move(to);
  return rule;
}

std::string printed(const Result<std::vector<Copy>>& copies) {
  if (!copies) return copies.error();
  std::string text;
  for (const Copy& copy : *copies) text += (text.empty() ? "" : " ") + copy.address;
  return text;
}

std::string copies(std::string_view sender, std::initializer_list<std::string> recipients) {
  static const Copies rules({rule("@example.com", {"archive@example.com"}),
                             rule("boss@example.com", {"archive@example.com", "audit@example.com"}),
                             rule("@customer.example", {"sales@example.com"}, true)});
  std::vector<mail::Recipient> list;
  for (const std::string& recipient : recipients) list.push_back({recipient, "", ""});
  return printed(rules.of(sender, list));
}

TEST(Copies, TheMostSpecificRuleOfTheSender) {
  EXPECT_EQ(copies("ann@example.com", {"x@y"}), "archive@example.com");
  EXPECT_EQ(copies("Boss@Example.com", {"x@y"}), "archive@example.com audit@example.com");
  EXPECT_EQ(copies("ann@elsewhere.example", {"x@y"}), "");
}

TEST(Copies, ThatOfEachRecipientOnce) {
  EXPECT_EQ(copies("ann@elsewhere.example", {"a@customer.example", "b@customer.example", "c@z"}),
            "sales@example.com");
  EXPECT_EQ(copies("ann@example.com", {"a@customer.example"}), "archive@example.com sales@example.com");
}

TEST(Copies, NoneOfAReport) {
  EXPECT_EQ(copies("", {"a@customer.example"}), "");
}

TEST(Copies, NoneWithoutRules) {
  EXPECT_TRUE(Copies().of("ann@example.com", {})->empty());
  EXPECT_TRUE(Copies().empty());
}

// --- tables -----------------------------------------------------------------------------------------------

config::Bcc by_table(std::string name, bool of_recipient = false) {
  config::Bcc rule;
  rule.table = std::move(name);
  rule.of_recipient = of_recipient;
  return rule;
}

std::shared_ptr<const table::Tables> tables() {
  auto tables = std::make_shared<table::Tables>();
  tables->add("bosses", table::parse_texthash("boss@example.com audit@example.com, Log@example.com\n").table);
  tables->add(
      "teams",
      table::parse_regexp("/^(.*)@team.example$/ $1@archive.example\n/^(.*)@many.example$/ $1 $1\n").table);
  return tables;
}

TEST(Copies, AValueOfATableNamesAddresses) {
  const Copies rules({rule("@example.com", {"all@example.com"}), by_table("bosses"), by_table("teams", true)},
                     tables());
  EXPECT_EQ(printed(rules.of("Boss+x@example.com", {})), "audit@example.com Log@example.com");
  EXPECT_EQ(printed(rules.of("ann@example.com", {{"Bob@team.example", "", ""}})),
            "all@example.com Bob@archive.example");
  const Result<std::vector<Copy>> copy = rules.of("Boss@example.com", {});
  EXPECT_EQ(copy->front().rule->table, "bosses");
  EXPECT_EQ(copy->front().key, "Boss@example.com");
}

TEST(Copies, AValueThatIsNoAddressIsAnError) {
  const Copies rules({by_table("teams", true)}, tables());
  const std::string fault =
      printed(rules.of("ann@x.example", {{"u@team.example", "", ""}, {"u@many.example", "", ""}}));
  EXPECT_TRUE(fault.starts_with("table 'teams', 'u@many.example': ")) << fault;
}

TEST(Copies, WhatATableMayName) {
  const auto parsed = [](std::string_view value) {
    const Result<std::vector<std::string>> addresses = parse_copies(value);
    return addresses ? fmt::format("{}", fmt::join(*addresses, "|")) : "!" + addresses.error();
  };
  EXPECT_EQ(parsed("a@x, \"b, c\"@x ,d@x,"), "a@x|\"b, c\"@x|d@x");
  for (const char* const value :
       {"a@x b@x", "a@x; b@x", "root", "@x", "\\root", "|prog", ",", "a@x # boss", "\"a"})
    EXPECT_TRUE(parsed(value).starts_with('!')) << value << ": " << parsed(value);
}

}  // namespace
}  // namespace relayd::rewrite
