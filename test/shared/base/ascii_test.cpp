#include "shared/base/ascii.hpp"

#include <gtest/gtest.h>

namespace relayd::ascii {
namespace {

TEST(Ascii, OneOctetAboveIsSeenWhereverItStands) {
  for (std::size_t size = 0; size < 20; ++size) {
    std::string text(size, '\x7f');
    EXPECT_TRUE(all_ascii(text));
    for (char& octet : text) {
      octet = '\x80';
      EXPECT_FALSE(all_ascii(text)) << size;
      octet = 'x';
    }
  }
}

TEST(Ascii, OnlyTheEndsAreTrimmedAndOnlyOfWhatIsNamed) {
  EXPECT_EQ(trimmed(" \t a \t b\t ", blanks), "a \t b");
  EXPECT_EQ(trimmed(" a\r\n", blanks), "a\r\n");
  EXPECT_EQ(trimmed("\r\n a\r\n", white_space), "a");
  EXPECT_EQ(trimmed("\v\fa\r", line_space), "a");
  EXPECT_EQ(trimmed("\n a", line_space), "\n a");
  EXPECT_EQ(trimmed(" \t ", blanks), "");
  EXPECT_EQ(trimmed("", blanks), "");
}

}  // namespace
}  // namespace relayd::ascii
