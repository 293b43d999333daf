// The rules of `rewrite`, as they are read.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/config/config.hpp"
#include "shared/config/test_config.hpp"

namespace relayd::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// "sender recipient from to", those that a rule names.
std::string places(const RewriteRule& rule) {
  std::string words;
  for (const auto& [named, word] :
       {std::pair(rule.sender, "sender "), std::pair(rule.recipient, "recipient "),
        std::pair(rule.from_fields, "from "), std::pair(rule.to_fields, "to ")})
    if (named) words += word;
  return words;
}

RewriteRule rule(const std::string& text) {
  return good("rewrite:\n  - {" + text + "}\n").changes.rewrite.at(0);
}

TEST(RewriteRules, HaveAllTheirFields) {
  const RewriteRule read =
      rule("match: '@A.example', to: B@c.example, in: [from, recipient], when: taken, keep: reply-to");
  EXPECT_EQ(read.match, "@a.example");
  EXPECT_EQ(read.to, "B@c.example");
  EXPECT_EQ(places(read), "recipient from ");
  EXPECT_TRUE(read.taken);
  EXPECT_TRUE(read.keep_reply_to);
  EXPECT_EQ(read.where.line, 2);
  EXPECT_EQ(read.where.column, 5);
}

TEST(RewriteRules, WithoutInAreAboutAllAddressesAndWithKeepAboutWhoItIsFrom) {
  const RewriteRule plain = rule("match: '@a', to: '@b'");
  EXPECT_EQ(places(plain), "sender recipient from to ");
  EXPECT_FALSE(plain.taken);
  EXPECT_FALSE(plain.keep_reply_to);
  EXPECT_EQ(places(rule("match: '*', to: a@b, keep: reply-to")), "sender from ");
  EXPECT_EQ(places(rule("match: '*', to: a@b, keep: reply-to, in: header")), "from to ");
  EXPECT_EQ(places(rule("match: '*', to: '@b'")), "sender recipient from to ");
}

TEST(RewriteRules, StandAtTheTopInUpstreamsAndInRulesOfSenders) {
  const Config config = good(
      "rewrite: [{match: '@a', to: '@b'}, {match: '@a', to: '@c', when: taken}]\n"
      "upstreams:\n  office: {host: smtp.example.net, rewrite: [{match: '@a', to: '@d'}]}\n"
      "senders: [{match: '*', upstream: office, rewrite: [{match: '@a', to: '@e', in: sender},"
      " {match: '@a', to: '@f', in: from}]}]\n");
  ASSERT_EQ(config.changes.rewrite.size(), 2u);
  EXPECT_EQ(config.upstreams.at(0).changes.rewrite.at(0).to, "@d");
  EXPECT_EQ(config.senders.at(0).changes.rewrite.at(1).to, "@f");
}

TEST(RewriteRules, AResultIsAnAddressOrADomain) {
  const auto complaint = [](const std::string& to) {
    return errors("rewrite: [{match: '@a', to: '" + to + "'}]\n");
  };
  for (const std::string to : {"a@b", "@b", "j\xc3\xb6@b.example"})
    EXPECT_THAT(complaint(to), Not(HasSubstr("is not an address"))) << to;
  for (const std::string& to : {std::string("root"), std::string("*"), std::string("@*.b"), std::string("@"),
                                "a@" + std::string(253, 'b')})
    EXPECT_THAT(complaint(to), HasSubstr("is not an address or @domain")) << to;
}

}  // namespace
}  // namespace relayd::config
