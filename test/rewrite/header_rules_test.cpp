#include "rewrite/header_rules.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "rewrite/received.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::rewrite {
namespace {

using Scope = config::HeaderRules;

constexpr std::string_view plain =
    "From: a@b.example\r\nX-A: 1\r\nSubject: s\r\nx-a: 2\r\n folded\r\nX-B: 3\r\n\r\n";

// Scopes with one kind of rule, and all of them in one.
Scope removing(std::vector<std::string> names) {
  Scope scope;
  scope.remove = std::move(names);
  return scope;
}
Scope setting(std::vector<config::HeaderField> fields) {
  Scope scope;
  scope.set = std::move(fields);
  return scope;
}
Scope adding(std::vector<config::HeaderField> fields) {
  Scope scope;
  scope.set_missing = std::move(fields);
  return scope;
}
Scope prefixing(std::string prefix) {
  Scope scope;
  scope.subject_prefix = std::move(prefix);
  return scope;
}
Scope receiving(config::ReceivedForm form) {
  Scope scope;
  scope.received = form;
  return scope;
}
Scope operator+(Scope a, const Scope& b) {
  a.remove.insert(a.remove.end(), b.remove.begin(), b.remove.end());
  a.set.insert(a.set.end(), b.set.begin(), b.set.end());
  a.set_missing.insert(a.set_missing.end(), b.set_missing.begin(), b.set_missing.end());
  a.subject_prefix += b.subject_prefix;
  if (b.received) a.received = b.received;
  return a;
}

std::optional<std::string> applied(const Scope& scope, std::string_view header, HeaderTerms terms = {}) {
  return MergedHeaderRules({&scope}).apply(header, terms);
}

std::size_t longest_line(std::string_view text) {
  std::size_t longest = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find("\r\n"), text.size());
    longest = std::max(longest, end);
    text.remove_prefix(std::min(end + 2, text.size()));
  }
  return longest;
}

TEST(HeaderRules, WhatNoRuleNamesIsNotTouched) {
  const Scope none;
  EXPECT_TRUE(MergedHeaderRules({&none, nullptr, nullptr}).empty());
  EXPECT_EQ(applied(none, plain), std::nullopt);
  EXPECT_EQ(applied(removing({"X-C", "X-AA*", "Y*"}), plain), std::nullopt);
  EXPECT_EQ(applied(adding({{"X-A", "9"}}), plain), std::nullopt);
}

TEST(HeaderRules, RemovesEveryInstanceWithItsFolds) {
  EXPECT_EQ(applied(removing({"X-A"}), plain), "From: a@b.example\r\nSubject: s\r\nX-B: 3\r\n\r\n");
}

TEST(HeaderRules, NamesAreWholeAndHaveNoCase) {
  EXPECT_EQ(applied(removing({"X"}), plain), std::nullopt);
  EXPECT_EQ(applied(removing({"x-B"}), "X-B : 1\r\nX-BB: 2\r\n\r\n"), "X-BB: 2\r\n\r\n");
}

TEST(HeaderRules, AStarIsAnyEnd) {
  EXPECT_EQ(applied(removing({"x-PHP-*"}), "X-PHP-Script: s\r\nX-PHP: p\r\nX-Php-: q\r\n\r\n"),
            "X-PHP: p\r\n\r\n");
}

TEST(HeaderRules, SetPutsOneWhereTheFirstWas) {
  EXPECT_EQ(applied(setting({{"X-A", "new"}}), plain),
            "From: a@b.example\r\nX-A: new\r\nSubject: s\r\nX-B: 3\r\n\r\n");
}

TEST(HeaderRules, SetPutsOneAtTheEndWhereThereIsNone) {
  EXPECT_EQ(applied(setting({{"X-C", "new"}}), "To: b\r\n\r\nX-C: body\r\n"),
            "To: b\r\nX-C: new\r\n\r\nX-C: body\r\n");
}

TEST(HeaderRules, DefaultIsForWhereThereIsNone) {
  EXPECT_EQ(applied(adding({{"X-A", "9"}, {"X-C", "9"}}), "X-A:\r\n\r\n"), "X-A:\r\nX-C: 9\r\n\r\n");
}

TEST(HeaderRules, RemoveComesBeforeSetAndDefaultAndThePrefixLast) {
  const Scope scope = removing({"X-*", "Subject"}) + setting({{"X-A", "new"}}) +
                      adding({{"X-B", "new"}, {"Subject", "made"}}) + prefixing("[t]");
  EXPECT_EQ(applied(scope, plain), "From: a@b.example\r\nX-A: new\r\nX-B: new\r\nSubject: [t] made\r\n\r\n");
}

TEST(HeaderRules, TheMostSpecificScopeThatSpeaksOfANameDecides) {
  const Scope general = removing({"X-B", "X-C"}) + setting({{"X-A", "general"}, {"X-D", "general"}}) +
                        prefixing("[general]") + receiving(config::ReceivedForm::masked);
  const Scope upstream = setting({{"X-B", "upstream"}}) + prefixing("[upstream]");
  const Scope rule = removing({"X-D*"}) + adding({{"x-a", "rule"}, {"X-C", "rule"}});
  const MergedHeaderRules rules({&rule, &upstream, &general});
  EXPECT_EQ(rules.apply("X-A: own\r\nX-B: own\r\nX-C: own\r\nX-D: own\r\nSubject: s\r\n\r\n", {}),
            "X-A: own\r\nX-B: upstream\r\nX-C: own\r\nSubject: [upstream] s\r\n\r\n");
  EXPECT_EQ(rules.apply("Subject: s\r\n\r\n", {}),
            "Subject: [upstream] s\r\nx-a: rule\r\nX-C: rule\r\nX-B: upstream\r\n\r\n");
}

TEST(HeaderRules, ASpecificScopeCanHaveTheFullReceivedAgain) {
  const Scope general = receiving(config::ReceivedForm::masked);
  const Scope rule = receiving(config::ReceivedForm::full);
  EXPECT_TRUE(MergedHeaderRules({&rule, &general}).empty());
  EXPECT_FALSE(MergedHeaderRules({nullptr, &general}).empty());
}

TEST(HeaderRules, LongValuesAreFoldedAtBlanks) {
  std::string value;
  for (int i = 0; i < 100; ++i) value += "word" + std::to_string(i) + (i % 7 == 0 ? "   " : " ");
  const std::string edited = *applied(setting({{"X-Long", value}}), "\r\n");
  EXPECT_LE(longest_line(edited), 78u);
  std::string unfolded = edited;
  for (std::size_t at = 0; (at = unfolded.find("\r\n ")) != std::string::npos;) unfolded.erase(at, 2);
  EXPECT_EQ(unfolded, "X-Long: " + value.substr(0, value.size() - 1) + "\r\n\r\n");
}

TEST(HeaderRules, AValueThatFitsStaysInItsLine) {
  const std::string value(78 - 5, 'v');
  EXPECT_EQ(applied(setting({{"X-A", value}}), "\r\n"), "X-A: " + value + "\r\n\r\n");
  EXPECT_EQ(applied(setting({{"X-A", value + "v"}}), "\r\n"), "X-A:\r\n " + value + "v\r\n\r\n");
  EXPECT_EQ(applied(setting({{"X-A", "a " + value}}), "\r\n"), "X-A: a\r\n " + value + "\r\n\r\n");
}

TEST(HeaderRules, NoLineIsLongerThan998) {
  for (const std::string& value : {std::string(5000, 'v'), "a" + std::string(5000, ' ') + "b",
                                   std::string(900, 'v') + " " + std::string(900, 'w')})
    for (const bool utf8 : {false, true}) {
      const std::string edited = *applied(setting({{std::string(76, 'N'), value}}), "\r\n", {utf8});
      EXPECT_LE(longest_line(edited), 998u);
      EXPECT_TRUE(ascii::all_ascii(edited));
    }
}

TEST(HeaderRules, WhatIsNotAsciiIsEncodedUnlessTheMessageHasSmtpUtf8) {
  const Scope scope = setting({{"X-A", "Grüße"}});
  EXPECT_EQ(applied(scope, "\r\n"), "X-A: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\n");
  EXPECT_EQ(applied(scope, "\r\n", {.smtp_utf8 = true}), "X-A: Grüße\r\n\r\n");
}

TEST(HeaderRules, EncodedWordsEndBetweenCharacters) {
  std::string value;
  for (int i = 0; i < 40; ++i) value += "ü";
  const std::string edited = *applied(setting({{"Subject", value}}), "\r\n");
  EXPECT_LE(longest_line(edited), 76u);  // RFC 2047 2
  EXPECT_TRUE(edited.starts_with("Subject: =?utf-8?b?w7zDvMO8")) << edited;
  EXPECT_EQ(std::ranges::count(edited, '?'), 3 * 4);
}

TEST(HeaderRules, WhatIsNoUtf8CannotBreakAField) {
  EXPECT_EQ(applied(setting({{"X-A", "a\xff"}}), "\r\n"), "X-A: =?utf-8?b?YT8=?=\r\n\r\n");
  EXPECT_EQ(applied(setting({{"X-A", "a\r\nB: c"}}), "\r\n", {.smtp_utf8 = true}),
            "X-A: =?utf-8?b?YQ0KQjogYw==?=\r\n\r\n");
}

TEST(HeaderRules, WhatIsNoFieldPasses) {
  const Scope scope = removing({"X-*", "From*"}) + setting({{"To", "t"}});
  for (const std::string_view line : {"From ann Fri 10:00\r\n", "no colon\r\n", "X-\x01: c\r\n", "X A: b\r\n",
                                      ": empty\r\n", " X-A: f\r\n"})
    EXPECT_EQ(applied(scope, std::string(line) + "X-B: 1\r\n\r\n"), std::string(line) + "To: t\r\n\r\n")
        << line;
}

TEST(HeaderRules, AHeaderWithoutItsEmptyLineIsEditedToo) {
  EXPECT_EQ(applied(setting({{"X-A", "1"}}), "To: b\r\n"), "To: b\r\nX-A: 1\r\n");
  EXPECT_EQ(applied(setting({{"X-A", "1"}}), "To: b"), "To: b\r\nX-A: 1\r\n");
  EXPECT_EQ(applied(setting({{"X-A", "1"}}), ""), "X-A: 1\r\n");
  EXPECT_EQ(applied(setting({{"X-A", "1"}}), "\r\n body"), "X-A: 1\r\n\r\n body");
}

TEST(HeaderRules, OurReceivedFieldCanBeMasked) {
  ReceivedFacts facts;
  facts.helo = "laptop.lan";
  facts.client = "192.0.2.7";
  facts.hostname = "mx.example.com";
  facts.mark = "0123456789abcdef";
  facts.id = "q1";
  facts.authenticated = true;
  facts.recipient = "b@c.example";
  const std::string ours = received_field(facts);
  const std::string older = received_field(facts);
  const Scope scope = removing({"X-A"}) + receiving(config::ReceivedForm::masked);
  EXPECT_EQ(applied(scope, ours + older + "X-A: 1\r\n\r\n", {.mark = facts.mark}),
            "Received: by mx.example.com (relayd 0123456789abcdef) with ESMTPA id q1\r\n"
            "\tfor <b@c.example>;\r\n\tThu, 1 Jan 1970 00:00:00 +0000\r\n" +
                older + "\r\n");
}

TEST(HeaderRules, TheReceivedFieldOfOthersStays) {
  const Scope scope = receiving(config::ReceivedForm::masked);
  ReceivedFacts facts;
  facts.hostname = "mx.example.com";
  facts.mark = "fedcba9876543210";
  for (const std::string& field :
       {received_field(facts), std::string("Received: from a (b)\r\n\tby c (relayd) with SMTP; d\r\n"),
        std::string("Received: from a (b) by c (Postfix) id 1; d\r\n"), std::string("Received: from \r\n")})
    EXPECT_EQ(applied(scope, field + "\r\n", {.mark = "0123456789abcdef"}), std::nullopt) << field;
}

}  // namespace
}  // namespace relayd::rewrite
