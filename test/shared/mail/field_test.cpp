#include "shared/mail/field.hpp"

#include <gtest/gtest.h>

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
