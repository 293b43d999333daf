#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shared/table/printed.hpp"

namespace relayd::table {
namespace {

using testing::StartsWith;

std::string found(std::string_view text, const std::vector<std::string_view>& keys) {
  return values(parse_regexp(text), keys);
}

TEST(Regexp, TheFirstMatchWinsAndCaseDoesNotMatter) {
  EXPECT_EQ(found("# c\n/^A@/  one two\n/@X$/i two\n", {"a@x", "b@x", "b@y"}), "one two, two, -");
}

TEST(Regexp, APatternMatchesAnywhereUnlessItIsAnchored) {
  EXPECT_EQ(found("/b/ in\n/^c$/ whole\n", {"abc", "c", "cc"}), "in, whole, -");
}

TEST(Regexp, GroupsStandInTheValue) {
  EXPECT_EQ(found("/^(.*)\\+(.*)@(x)$/ $1+$2 ${1}b $(3) $$5\n", {"Ann+Tag@x"}), "Ann+Tag Annb x $5");
  EXPECT_EQ(found("/^a(b)?c/ <$1>\n", {"ac", "abc"}), "<>, <b>");
}

TEST(Regexp, AValueIsKnownBeforeAKeyUnlessItHasAGroup) {
  const Parsed parsed = parse_regexp("# one\n/^(a)@/ $1@x\nif /@y$/\n/^b/ b $$\nendif\n");
  EXPECT_EQ(rows_of(parsed), "2:= 4:=b $");
  EXPECT_EQ(parsed.table->line_of("a@y"), 2u);
  EXPECT_EQ(parsed.table->line_of("b@y"), 4u);
  EXPECT_EQ(parsed.table->line_of("b@x"), 0u);
}

TEST(Regexp, AnyDelimiterDoesAndABackslashKeepsIt) {
  EXPECT_EQ(found("#no#\n!/@/ none\n|a/b| slash\n/c\\/d/ kept\n", {"plain", "a/b@", "c/d@"}),
            "none, slash, kept");
}

TEST(Regexp, ANegatedPatternMatchesTheRest) {
  EXPECT_EQ(found("!/@x$/ elsewhere\n", {"a@x", "a@y"}), "-, elsewhere");
}

TEST(Regexp, ConditionsSkipWhatTheyEnclose) {
  constexpr std::string_view text =
      "if /@x$/\n/^a/ ax\nif !/^b/\n/./ notb\nendif\nendif\nIF /@y$/\n/^a/ ay\nENDIF\n/^b/ b\n";
  EXPECT_EQ(found(text, {"a@x", "c@x", "b@x", "a@y", "c@y"}), "ax, notb, b, ay, -");
  EXPECT_EQ(parse_regexp(text).table->rows(), 4u);
}

TEST(Regexp, ALineGoesOnInTheNext) {
  EXPECT_EQ(found("/a/\n one\n# c\n two\n", {"a"}), "one two");
}

TEST(Regexp, TextsThatAreNoUtf8MatchNothingAndHarmNothing) {
  EXPECT_EQ(found("/^.*$/ all\n", {"\xff\xfe", "ü@x"}), "-, all");
}

TEST(Regexp, EveryFaultIsToldWithItsLine) {
  EXPECT_EQ(
      found("plain v\n/open v\n/a/\n/a/x v\n/a/ $\n/a/ $1\n/a/ ${1\n!/(a)/ $1\nif /a/ v\n//v v\n/(b)/ $01\n",
            {}),
      "1: expected '/PATTERN/ VALUE'; 2: the pattern does not end: there is no second '/'; "
      "3: the pattern has no value; "
      "4: 'x' behind the pattern: its only flag is i, and its value stands behind a blank; "
      "5: '$' stands before the number of a group, as in $1 or ${1}; a dollar sign is '$$'; "
      "6: $1: the pattern has 0 groups, counted from 1; "
      "7: '$' stands before the number of a group, as in $1 or ${1}; a dollar sign is '$$'; "
      "8: what does not match has no groups: a dollar sign is '$$'; "
      "9: text behind the pattern of an 'if'; 9: an 'if' without its 'endif'; "
      "10: 'v' behind the pattern: its only flag is i, and its value stands behind a blank");
}

TEST(Regexp, AnEndNeedsItsBeginning) {
  EXPECT_EQ(found("/a/ v\nendif\n", {}), "2: an 'endif' without an 'if'");
  EXPECT_EQ(found("if /a/\nendif x\nendif\n", {}), "2: text behind 'endif'");
}

TEST(Regexp, WhatNeedsMoreThanLinearTimeOrTooMuchMemoryIsRefused) {
  EXPECT_THAT(found("/(a)\\1/ v\n", {}), StartsWith("1: '(a)\\1': invalid escape sequence"));
  EXPECT_THAT(found("/((a{100}){100}){100}/ v\n", {}), StartsWith("1: '"));
  EXPECT_EQ(found("/" + std::string(1025, 'a') + "/ v\n", {}), "1: the pattern is longer than 1024 octets");
  EXPECT_EQ(found("/a/ " + std::string(1025, 'v') + "\n", {}), "1: the value is longer than 1024 octets");
}

TEST(Regexp, APatternThatBacktrackersFearIsAnswered) {
  EXPECT_EQ(found("/^(a+)+$/ v\n", {std::string(100'000, 'a') + "b"}), "-");
}

TEST(Regexp, TheNumberOfPatternsIsBounded) {
  std::string text;
  for (int i = 0; i < 1001; ++i) text += "/a/ v\n";
  EXPECT_EQ(found(text, {}), "1001: more than 1000 patterns");
}

}  // namespace
}  // namespace relayd::table
