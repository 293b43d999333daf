#include "shared/table/csv.hpp"

#include <gtest/gtest.h>

#include <random>

#include "shared/table/printed.hpp"

namespace relayd::table {
namespace {

std::string found(std::string_view text, const std::vector<std::string_view>& keys) {
  return values(parse_csv(text), keys);
}

using TextRow = std::vector<std::string>;

std::vector<TextRow> rows_of(std::string_view text, std::vector<Fault>& faults) {
  Csv csv(text);
  std::vector<CsvField> row;
  std::vector<TextRow> result;
  while (csv.next(row, faults)) {
    TextRow& texts = result.emplace_back();
    for (const CsvField& field : row) texts.push_back(field.text);
  }
  return result;
}

TEST(Csv, ARowIsAKeyAndItsValue) {
  EXPECT_EQ(found("a@x,b@y\r\nC@x,D@y\n\n", {"A@X", "c@x", "d"}), "b@y, D@y, -");
}

TEST(Csv, AHeaderIsNoEntry) {
  EXPECT_EQ(found("Key,value\na,b\n", {"a", "key"}), "b, -");
  EXPECT_EQ(found("a,b\nkey,value\n", {"a", "key"}), "b, value");
}

TEST(Csv, QuotesHoldCommasAndQuotes) {
  EXPECT_EQ(found("\"\"\"a b\"\"@x\",\"b@x, c@x\"\n", {"\"a b\"@x"}), "b@x, c@x");
}

TEST(Csv, FieldsKnowWhereTheyStand) {
  Csv csv("a,\"b\nc\",d\ne,f");
  std::vector<CsvField> row;
  std::vector<Fault> faults;
  ASSERT_TRUE(csv.next(row, faults));
  ASSERT_EQ(row.size(), 3u);
  EXPECT_EQ(row[1].text, "b\nc");
  EXPECT_EQ(row[1].line, 1u);
  EXPECT_EQ(row[1].column, 3u);
  EXPECT_EQ(row[2].line, 2u);
  EXPECT_EQ(row[2].column, 4u);
  ASSERT_TRUE(csv.next(row, faults));
  EXPECT_EQ(row[1].line, 3u);
  EXPECT_EQ(row[1].column, 3u);
}

TEST(Csv, EveryFaultIsToldWithItsLine) {
  EXPECT_EQ(found("a,b,c\nalone\n,v\nk,\nx\"y,v\nk, v\n\"q\"z,v\nA,1\na,2\n\"n\nl\",v\n\"open,v\nx,y\n", {}),
            "1: a row is KEY,VALUE: this one has 3 fields; 2: a row is KEY,VALUE: this one has 1 field; "
            "3: the key is missing; 4: 'k' has no value; "
            "5: a quote within a field: one that holds quotes stands in quotes, its own doubled; "
            "6: a blank at an end of a field would belong to it: remove it, or quote the field; "
            "7: text behind the closing quote: a quote within quotes is doubled; "
            "9: 'a' is there twice: in line 8 as well; 10: a line end or another control character; "
            "12: a quote that is not closed");
}

TEST(Csv, WhatIsWrittenIsRead) {
  std::mt19937 random(20);
  const auto quoted = [](const std::string& text) {
    std::string result = "\"";
    for (const char c : text) result += c == '"' ? "\"\"" : std::string(1, c);
    return result + "\"";
  };
  for (int round = 0; round < 500; ++round) {
    std::vector<TextRow> model;
    std::string text;
    for (auto left = random() % 8; left > 0; --left) {
      TextRow& row = model.emplace_back();
      for (auto fields = 2 + random() % 3; fields > 0; --fields) {
        std::string& field = row.emplace_back();
        for (auto size = random() % 5; size > 0; --size) field += "ab,\"\r\n "[random() % 7];
        const bool is_plain = field.find_first_of(",\"\r\n ") == std::string::npos && random() % 2 == 0;
        text += (row.size() > 1 ? "," : "") + (is_plain ? field : quoted(field));
      }
      text += random() % 2 ? "\n" : "\r\n";
    }
    std::vector<Fault> faults;
    EXPECT_EQ(rows_of(text, faults), model) << text;
    EXPECT_TRUE(faults.empty()) << text;
  }
}

}  // namespace
}  // namespace relayd::table
