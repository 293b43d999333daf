#include <gtest/gtest.h>

#include <map>
#include <random>

#include "shared/base/ascii.hpp"
#include "shared/table/printed.hpp"

namespace relayd::table {
namespace {

std::string found(std::string_view text, const std::vector<std::string_view>& keys) {
  return values(parse_texthash(text), keys);
}

TEST(Texthash, ALineIsAKeyAndItsValue) {
  EXPECT_EQ(found("a@x.example  B@Y.example\n@d.example\t@e.example\n", {"a@x.example", "@d.example", "b"}),
            "B@Y.example, @e.example, -");
}

TEST(Texthash, KeysAreComparedWithoutCaseAndValuesKeepTheirs) {
  EXPECT_EQ(found("Ann@X.Example Ops@Y.Example", {"ANN@x.EXAMPLE"}), "Ops@Y.Example");
}

TEST(Texthash, AnAddressHasOneKeyInAllItsSpellings) {
  const std::string text = "a.b@x 1\n\"C d\"@x 2\n@b\xc3\xbc\x63her.example 3\n";
  EXPECT_EQ(found(text, {"\"A.b\"@X", "\"c\\ d\"@x", "\"c d\"@x", "@XN--bcher-kva.example"}), "1, 2, 2, 3");
  EXPECT_EQ(found("\"a.b\"@x 1\na.B@X 2\n", {}), "2: 'a.b@x' is there twice: in line 1 as well");
}

TEST(Texthash, OnlyTheCaseOfAsciiIsFolded) {
  EXPECT_EQ(found("Ä@x 1\nä@x 2\n", {"Ä@X", "ä@X"}), "1, 2");
}

TEST(Texthash, RowsAreGoneThroughInTheOrderOfTheirLines) {
  const Parsed parsed = parse_texthash("Z@x 1\n\na@x 2\n b\n@m 3\n");
  EXPECT_EQ(rows_of(parsed), "1:z@x=1 3:a@x=2 b 5:@m=3");
  EXPECT_EQ(parsed.table->line_of("A@x"), 3u);
  EXPECT_EQ(parsed.table->line_of("b@x"), 0u);
}

TEST(Texthash, CommentsAndEmptyLinesAreLeftOutAlsoWithinALine) {
  EXPECT_EQ(
      found("# one\n\n   # two\nkey  first\n  second\n# three\n\n third\n  \nlast v\n", {"key", "last"}),
      "first  second third, v");
}

TEST(Texthash, ANumberSignWithinALineIsText) {
  EXPECT_EQ(found("a b # c\n", {"a"}), "b # c");
}

TEST(Texthash, AKeyInQuotesMayHoldBlanksAndStaysQuoted) {
  EXPECT_EQ(found("\"a b\"@x v1 v2  \n\"u\\\" v\"@x w\na\\ b z\n",
                  {"\"A b\"@x", "a b@x", "\"u\\\" v\"@x", "a\\ b"}),
            "v1 v2, -, w, z");
}

TEST(Texthash, LinesMayEndWithCrLfAndBeginWithAByteOrderMark) {
  EXPECT_EQ(found("\xef\xbb\xbfkey v\r\nother w\r\n\r\n", {"key", "other"}), "v, w");
}

TEST(Texthash, AnEmptyTextIsATableWithoutRows) {
  const Parsed parsed = parse_texthash("# nothing\n");
  ASSERT_TRUE(parsed.table);
  EXPECT_EQ(parsed.table->rows(), 0u);
  EXPECT_EQ(parsed.table->find(""), std::nullopt);
}

TEST(Texthash, EveryFaultIsToldWithItsLine) {
  EXPECT_EQ(found("# c\nalone\nok v\n\"open v\nname: v\nA 1\na 2\nb \x01\n", {}),
            "2: 'alone' has no value; 4: a quote that is not closed; "
            "5: 'name:': a row is 'KEY VALUE'; aliases stand in `aliases_file`; "
            "7: 'a' is there twice: in line 6 as well; 8: a line end or another control character");
}

TEST(Texthash, AFileOfAnotherKindIsNotReadToItsEnd) {
  std::string lines;
  for (int i = 0; i < 5000; ++i) lines += "x\n";
  EXPECT_EQ(parse_texthash(lines).faults.size(), most_faults);
  EXPECT_EQ(parse_csv(lines).faults.size(), most_faults);
  EXPECT_EQ(parse_regexp(lines).faults.size(), most_faults);
}

TEST(Texthash, ALineThatGoesOnNeedsOneBefore) {
  EXPECT_EQ(found(" a v\nb w\n", {}),
            "1: a line that begins with a blank goes on with the one before, and there is none");
}

TEST(Texthash, WhatIsWrittenIsFound) {
  std::mt19937 random(20);
  const auto word = [&random](std::string_view letters) {
    std::string text;
    for (auto left = 1 + random() % 6; left > 0; --left) text += letters[random() % letters.size()];
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    std::map<std::string, std::string> model;
    std::string text;
    for (auto left = random() % 60; left > 0; --left) {
      const std::string key = word("abAB@.-+"), value = word("xyXY@,$") + (random() % 2 ? " z" : "");
      if (!model.emplace(ascii::lower(key), value).second) continue;
      text += key + (random() % 2 ? " " : " \t ") + value + (random() % 2 ? "\n" : "  \r\n");
      if (random() % 4 == 0) text += "# nothing\n";
    }
    const Parsed parsed = parse_texthash(text);
    ASSERT_EQ(faults_of(parsed), "") << text;
    EXPECT_EQ(parsed.table->rows(), model.size());
    for (int i = 0; i < 60; ++i) {
      const std::string key = word("abAB@.-+");
      const auto known = model.find(ascii::lower(key));
      EXPECT_EQ(parsed.table->find(key).value_or("-"), known == model.end() ? "-" : known->second);
    }
    for (const auto& [key, value] : model) EXPECT_EQ(parsed.table->find(key), value);
  }
}

}  // namespace
}  // namespace relayd::table
