#include "shown.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::command {
namespace {

// Moves the cursor, sets a title, turns the direction of what is read.
const std::string hostile = "a\x1b[2Jb\x1b]0;c\a\u202e\u009bd\x80";
const std::string harmless = "a\\x1B[2Jb\\x1B]0;c\\x07\\xE2\\x80\\xAE\\xC2\\x9Bd\\x80";

TEST(ShownTest, WhatATerminalWouldObeyIsSpeltOut) {
  EXPECT_EQ(shown(hostile), harmless);
  EXPECT_EQ(shown_lines(hostile), harmless);
}

TEST(ShownTest, WhatIsToBeReadStays) {
  EXPECT_EQ(shown("Grüße, 你好 \\ \""), "Grüße, 你好 \\ \"");
  EXPECT_EQ(shown(""), "");
}

TEST(ShownTest, OneLineStaysOneLineAndEnds) {
  EXPECT_EQ(shown("a\nb\tc\r"), "a\\x0Ab\\x09c\\x0D");
  EXPECT_EQ(shown(std::string(20'000, 'x')).size(), 16u * 1024);
}

TEST(ShownTest, LinesKeepTheirEndsAndTabs) {
  EXPECT_EQ(shown_lines("a\tb\r\nc\n\n"), "a\tb\r\nc\n\n");
  EXPECT_EQ(shown_lines("a\rb\r\r\n"), "a\\x0Db\\x0D\r\n");
  EXPECT_EQ(shown_lines(std::string(20'000, 'x')).size(), 20'000u);
}

TEST(ShownTest, JsonKeepsItsValue) {
  EXPECT_EQ(shown_json("{\"a\": \"\u202e\u009b\"}"), "{\"a\": \"\\u202e\\u009b\"}");
  EXPECT_EQ(shown_json("{\"a\": \"Grüße\"}"), "{\"a\": \"Grüße\"}");
}

}  // namespace
}  // namespace relayd::command
