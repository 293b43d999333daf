#include "shared/mail/field.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace relayd::mail {
namespace {

std::vector<Field> fields(std::string_view block) {
  std::vector<Field> found;
  while (!block.empty()) found.push_back(take_field(block));
  return found;
}

TEST(Field, HasItsFoldedLines) {
  const std::vector<Field> found = fields("To: a,\r\n\tb\r\n c\r\nSUBJECT : s\r\n");
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].whole, "To: a,\r\n\tb\r\n c\r\n");
  EXPECT_EQ(found[0].name, "To");
  EXPECT_EQ(found[0].body, " a,\r\n\tb\r\n c\r\n");
  EXPECT_TRUE(found[1].is("Subject"));
  EXPECT_EQ(found[1].body, " s\r\n");
}

std::string names_seen(std::string_view header) {
  std::string names;
  for_each_field(header, [&names](const Field& field) { names.append(field.name).append(" "); });
  return names;
}

TEST(Field, AHeaderEndsAtItsEmptyLine) {
  EXPECT_EQ(names_seen("A: 1\r\nB: 2\r\n\t3\r\n\r\nC: 4\r\n"), "A B ");
  EXPECT_EQ(names_seen("A: 1\n\nC: 4\n"), "A ");
  EXPECT_EQ(names_seen("A: 1\r\nB:"), "A B ");
  EXPECT_EQ(names_seen("\r\nC: 4\r\n"), "");
  EXPECT_EQ(names_seen(""), "");
  std::string_view rest = "A: 1\r\n\r\nbody";
  for (Field field; next_field(rest, field);) EXPECT_TRUE(field.is("a"));
  EXPECT_EQ(rest, "\r\nbody");
}

TEST(Field, LinesThatAreNoFieldArePassedBy) {
  EXPECT_EQ(names_seen("no colon\r\nA b: 1\r\n\x01: 1\r\n:\r\n\xc3\xbc: 1\r\nC \t: 4\r\n D: 5\r\n"), "C ");
  EXPECT_EQ(names_seen("From ann Fri 10:00\r\nTo: x\r\n"), "To ");
  EXPECT_EQ(names_seen("From"), "");
}

TEST(Field, ANameFitsAPatternInAnyCase) {
  EXPECT_TRUE(field_name_fits("X-A", "x-a"));
  EXPECT_TRUE(field_name_fits("x-ab", "X-A*"));
  EXPECT_TRUE(field_name_fits("X-A", "x-a*"));
  EXPECT_TRUE(field_name_fits("To", "*"));
  EXPECT_FALSE(field_name_fits("X-Ab", "X-A"));
  EXPECT_FALSE(field_name_fits("X-", "X-A*"));
}

TEST(Field, PatternsMeetWhereOneNameFitsBoth) {
  const std::vector<std::string> patterns = {"X-A", "x-*", "X-AB*", "Y", "*", "x-abc", "X-"};
  const std::vector<std::string> names = {"X-", "x-a", "X-Ab", "x-abc", "X-ABCD", "y", "Z"};
  for (const std::string& a : patterns)
    for (const std::string& b : patterns) {
      const bool meet = std::ranges::any_of(
          names, [&](auto& name) { return field_name_fits(name, a) && field_name_fits(name, b); });
      EXPECT_EQ(field_names_may_meet(a, b), meet) << a << " " << b;
    }
}

TEST(Field, EveryOctetIsInOneField) {
  for (const std::string_view block : {"no colon\r\nTo: x\r\n", " folded\r\nTo: x", ":\r\n\r\n", "\n\n \n",
                                       "From ann Fri 10:00\r\nTo: x\r\n"}) {
    std::string together;
    for (const Field& field : fields(block)) together += field.whole;
    EXPECT_EQ(together, block);
  }
}

}  // namespace
}  // namespace relayd::mail
