#include "rewrite/copies.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace relayd::rewrite {
namespace {

config::Bcc rule(std::string match, std::vector<std::string> to, bool of_recipient = false) {
  config::Bcc rule;
  rule.match = std::move(match);
  rule.of_recipient = of_recipient;
  rule.to = std::move(to);
  return rule;
}

std::string copies(std::string_view sender, std::initializer_list<std::string> recipients) {
  static const Copies rules({rule("@example.com", {"archive@example.com"}),
                             rule("boss@example.com", {"archive@example.com", "audit@example.com"}),
                             rule("@customer.example", {"sales@example.com"}, true)});
  std::vector<mail::Recipient> list;
  for (const std::string& recipient : recipients) list.push_back({recipient, "", ""});
  return fmt::format("{}", fmt::join(rules.of(sender, list), " "));
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
  EXPECT_TRUE(Copies().of("ann@example.com", {}).empty());
  EXPECT_TRUE(Copies().empty());
}

}  // namespace
}  // namespace relayd::rewrite
