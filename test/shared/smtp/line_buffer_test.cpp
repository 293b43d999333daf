#include "shared/smtp/line_buffer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace relayd::smtp {
namespace {

void put(LineBuffer& buffer, std::string_view bytes) {
  const std::span<char> space = buffer.space(bytes.size());
  ASSERT_GE(space.size(), bytes.size());
  std::copy(bytes.begin(), bytes.end(), space.begin());
  buffer.filled(bytes.size());
}

std::vector<std::string> lines(LineBuffer& buffer) {
  std::vector<std::string> result;
  while (const auto line = buffer.line()) result.emplace_back(line->too_long ? "TOO LONG" : line->text);
  return result;
}

using Lines = std::vector<std::string>;

TEST(LineBuffer, LinesEndAtCrLfOnly) {
  LineBuffer buffer;
  put(buffer, "EHLO a\nMAIL FROM:<b@c>\r\nNOOP\rQUIT\r\n\r\nrest");
  EXPECT_EQ(lines(buffer), (Lines{"EHLO a\nMAIL FROM:<b@c>", "NOOP\rQUIT", ""}));
  EXPECT_EQ(buffer.rest(), "rest");
  EXPECT_FALSE(buffer.empty());
}

TEST(LineBuffer, SameLinesHoweverTheyArrive) {
  const std::string_view bytes = "a\r\n\n\r\nb\r\r\nc\n";
  for (std::size_t split = 0; split <= bytes.size(); ++split) {
    LineBuffer buffer;
    put(buffer, bytes.substr(0, split));
    Lines found = lines(buffer);
    put(buffer, bytes.substr(split));
    for (auto& line : lines(buffer)) found.push_back(line);
    EXPECT_EQ(found, (Lines{"a", "\n", "b\r"})) << split;
    EXPECT_EQ(buffer.rest(), "c\n");
  }
}

TEST(LineBuffer, LimitIsExact) {
  LineBuffer buffer(10);
  put(buffer, "12345678\r\n123456789\r\nok\r\n");
  EXPECT_EQ(lines(buffer), (Lines{"12345678", "TOO LONG", "ok"}));
}

TEST(LineBuffer, OverLongLineIsDroppedAsItComes) {
  LineBuffer buffer(512);
  for (int i = 0; i < 1000; ++i) {
    put(buffer, std::string(1000, 'x'));
    EXPECT_FALSE(buffer.line());
    EXPECT_LE(buffer.space(1).size(), 4096u);
  }
  EXPECT_FALSE(buffer.empty());
  put(buffer, "\r");
  EXPECT_FALSE(buffer.line());
  put(buffer, "\nNOOP\r\n");
  EXPECT_EQ(lines(buffer), (Lines{"TOO LONG", "NOOP"}));
  EXPECT_TRUE(buffer.empty());
}

TEST(LineBuffer, DroppedPieceMayEndInTheMiddleOfCrLf) {
  LineBuffer buffer(4);
  put(buffer, "123456\r");
  EXPECT_FALSE(buffer.line());
  put(buffer, "\nok\r\n");
  EXPECT_EQ(lines(buffer), (Lines{"TOO LONG", "ok"}));
}

TEST(LineBuffer, LineFeedAtTheVeryBeginning) {
  LineBuffer buffer;
  put(buffer, "\nA\r\n");
  EXPECT_EQ(lines(buffer), (Lines{"\nA"}));
}

TEST(LineBuffer, RestIsForReadersOfData) {
  LineBuffer buffer;
  put(buffer, "DATA\r\nbody\r\n.\r\nQUIT\r\n");
  ASSERT_EQ(buffer.line()->text, "DATA");
  EXPECT_EQ(buffer.rest().substr(0, 9), "body\r\n.\r\n");
  buffer.consume(9);
  EXPECT_EQ(lines(buffer), (Lines{"QUIT"}));
}

TEST(LineBuffer, GrowsForALongReadAndShrinksAfterIt) {
  LineBuffer buffer;
  put(buffer, "x");
  EXPECT_GE(buffer.space(64 * 1024).size(), 64u * 1024);
  EXPECT_EQ(buffer.rest(), "x");
  buffer.shrink();  // not empty: nothing happens
  EXPECT_EQ(buffer.rest(), "x");
  buffer.consume(1);
  buffer.shrink();
  EXPECT_EQ(buffer.space().size(), LineBuffer::idle_capacity);
}

TEST(LineBuffer, ClearForgetsAll) {
  LineBuffer buffer(4);
  put(buffer, "123456");
  EXPECT_FALSE(buffer.line());
  EXPECT_FALSE(buffer.empty());
  buffer.clear();
  EXPECT_TRUE(buffer.empty());
  put(buffer, "a\r\n");
  EXPECT_EQ(lines(buffer), (Lines{"a"}));
}

}  // namespace
}  // namespace relayd::smtp
