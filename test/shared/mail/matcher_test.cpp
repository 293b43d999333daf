#include "shared/mail/matcher.hpp"

#include <gtest/gtest.h>

namespace relayd::mail {
namespace {

// The pattern an address falls under; the rules stand in an order that helps nobody.
std::string match(std::string_view address) {
  static const std::vector<std::string> patterns = {
      "*",   "@*.com", "@*.Example.com", "@example.com", "billing@example.com", "billing+eu@example.com",
      "root"};
  Matcher matcher;
  for (std::size_t i = 0; i < patterns.size(); ++i) EXPECT_TRUE(matcher.add(patterns[i], i));
  const auto found = matcher.find(address);
  return found ? patterns[*found] : "";
}

TEST(Matcher, MostSpecificWinsWhereverItStands) {
  EXPECT_EQ(match("billing@example.com"), "billing@example.com");
  EXPECT_EQ(match("billing+eu@example.com"), "billing+eu@example.com");
  EXPECT_EQ(match("billing+us@example.com"), "billing@example.com");
  EXPECT_EQ(match("other@example.com"), "@example.com");
  EXPECT_EQ(match("a@b.example.com"), "@*.Example.com");
  EXPECT_EQ(match("a@c.b.example.com"), "@*.Example.com");
  EXPECT_EQ(match("a@other.com"), "@*.com");
  EXPECT_EQ(match("a@other.org"), "*");
}

TEST(Matcher, CaseDoesNotMatter) {
  EXPECT_EQ(match("BILLING@Example.COM"), "billing@example.com");
  EXPECT_EQ(match("a@B.EXAMPLE.com"), "@*.Example.com");
}

TEST(Matcher, SpellingDoesNotMatter) {
  EXPECT_EQ(match("\"billing\"@example.com"), "billing@example.com");
  EXPECT_EQ(match("\"billing+eu\"@example.com"), "billing+eu@example.com");
  Matcher matcher;
  EXPECT_TRUE(
      matcher.add("@b\xc3\xbc"
                  "cher.example",
                  0));
  EXPECT_FALSE(matcher.add("@xn--bcher-kva.Example", 1));
  EXPECT_TRUE(matcher.add("\"A b\"@x.example", 2));
  EXPECT_TRUE(
      matcher.add("@*.b\xc3\xbc"
                  "cher.example",
                  3));
  EXPECT_EQ(matcher.find("ann@XN--BCHER-KVA.example"), 0u);
  EXPECT_EQ(matcher.find("ann@B\xc3\xbc"
                         "cher.example"),
            0u);
  EXPECT_EQ(matcher.find("\"a\\ B\"@x.example"), 2u);
  EXPECT_EQ(matcher.find("ann@mail.xn--bcher-kva.example"), 3u);
}

TEST(Matcher, ParentDomainIsNotItsOwnChild) {
  Matcher matcher;
  matcher.add("@*.example.com", 0);
  EXPECT_EQ(matcher.find("a@example.com"), std::nullopt);
  EXPECT_EQ(matcher.find("a@notexample.com"), std::nullopt);
  EXPECT_EQ(matcher.find("a@x.example.com"), 0u);
}

TEST(Matcher, WithoutCatchAllSomeMatchNothing) {
  Matcher matcher;
  matcher.add("a@example.com", 0);
  EXPECT_EQ(matcher.find("b@example.com"), std::nullopt);
  EXPECT_EQ(matcher.find(""), std::nullopt);
}

TEST(Matcher, OddSenders) {
  EXPECT_EQ(match(""), "*");
  EXPECT_EQ(match("root"), "root");
  EXPECT_EQ(match("\"x@example.com\"@other.org"), "*");
  EXPECT_EQ(match("\"billing x\"@example.com"), "@example.com");
  EXPECT_EQ(match("a@."), "*");
}

TEST(Matcher, FirstOfTwoEqualPatternsStays) {
  Matcher matcher;
  EXPECT_TRUE(matcher.add("@Example.com", 1));
  EXPECT_FALSE(matcher.add("@example.COM", 2));
  EXPECT_EQ(matcher.find("a@example.com"), 1u);
}

TEST(Matcher, ManyRules) {
  Matcher matcher;
  constexpr std::size_t count = 100'000;
  for (std::size_t i = 0; i < count; ++i) matcher.add("user" + std::to_string(i) + "@example.com", i);
  for (std::size_t i = 0; i < count; ++i)
    ASSERT_EQ(matcher.find("user" + std::to_string(i) + "+tag@example.com"), i);
}

}  // namespace
}  // namespace relayd::mail
