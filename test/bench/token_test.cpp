#include "bench/smtp/token.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::bench {
namespace {

std::string line_of(const Token& token) {
  std::string line(Token::field);
  line.resize(line.size() + Token::number_width + 1 + Token::begun_width, ' ');
  token.write(line.data() + Token::field.size());
  return line;
}

TEST(Token, IsReadBackFromItsLine) {
  const auto read = Token::read(line_of({.number = 9'999'999'999, .begun = 1'234'567'890'123}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->number, 9'999'999'999U);
  EXPECT_EQ(read->begun, 1'234'567'890'123U);
}

TEST(Token, IsOverwrittenByTheNext) {
  std::string line = line_of({.number = 4711, .begun = 42});
  Token{.number = 1, .begun = 2}.write(line.data() + Token::field.size());
  EXPECT_EQ(Token::read(line)->number, 1U);
  EXPECT_EQ(Token::read(line)->begun, 2U);
}

TEST(Token, IsNoOtherField) {
  EXPECT_FALSE(Token::read("Subject: measured"));
  EXPECT_FALSE(Token::read(line_of({}) + " "));
  EXPECT_FALSE(Token::read("X-Bench: 1"));
}

}  // namespace
}  // namespace relayd::bench
