#include "shared/smtp/reply.hpp"

#include <gtest/gtest.h>

namespace relayd::smtp {
namespace {

// What the parser makes of the octets, one at a time; the text of a malformed one is its fault.
Reply read(std::string_view bytes, ReplyParser::State expected = ReplyParser::State::complete) {
  ReplyParser parser;
  for (const char& c : bytes) parser.feed({&c, 1});
  EXPECT_EQ(parser.state(), expected) << parser.fault();
  return expected == ReplyParser::State::complete ? parser.take() : Reply{};
}

void expect_malformed(std::string_view bytes) {
  read(bytes, ReplyParser::State::malformed);
}

TEST(Reply, OneLine) {
  const Reply reply = read("250 ok\r\n");
  EXPECT_EQ(reply.code, 250);
  EXPECT_EQ(reply.text, "ok");
  EXPECT_FALSE(reply.enhanced.given());
  EXPECT_TRUE(reply.positive());
}

TEST(Reply, SeveralLinesWithTheEnhancedCodeOnEach) {
  const Reply reply = read("550-5.1.1 No such user\r\n550 5.1.1 here\r\n");
  EXPECT_EQ(reply.enhanced, (EnhancedCode{5, 1, 1}));
  EXPECT_EQ(reply.text, "No such user\nhere");
  EXPECT_EQ(one_line(reply), "550 5.1.1 No such user here");
  EXPECT_EQ(enhanced_text(reply), "5.1.1 No such user here");
}

TEST(Reply, EnhancedCodeOfAnotherClassIsText) {
  EXPECT_EQ(read("550 4.7.1 no\r\n").text, "4.7.1 no");
  EXPECT_EQ(read("250 2.0 no\r\n").text, "2.0 no");
  EXPECT_EQ(read("250 2.0.1234 no\r\n").text, "2.0.1234 no");
  EXPECT_EQ(read("250 2.0.0\r\n").enhanced, (EnhancedCode{2, 0, 0}));
}

TEST(Reply, CodeAloneAndBareLineFeed) {
  EXPECT_EQ(read("354\r\n").code, 354);
  EXPECT_EQ(read("250-a\n250 b\n").text, "a\nb");
}

TEST(Reply, PipelinedRepliesAreTakenOneByOne) {
  std::string_view bytes = "250 a\r\n550 5.1.1 b\r\n354 c\r\n";
  ReplyParser parser;
  for (const int code : {250, 550, 354}) {
    bytes.remove_prefix(parser.feed(bytes));
    ASSERT_EQ(parser.state(), ReplyParser::State::complete);
    EXPECT_EQ(parser.feed("250 not yet\r\n"), 0u);
    EXPECT_EQ(parser.take().code, code);
  }
  EXPECT_TRUE(bytes.empty());
}

TEST(Reply, RefusesWhatIsNoReply) {
  for (const char* bytes : {"25\r\n", "999 x\r\n", "150 x\r\n", "2x0 x\r\n", "250=x\r\n", "\r\n", "hello\r\n",
                            "250-a\r\n550 b\r\n", "250-a\r\nb\r\n"})
    expect_malformed(bytes);
}

TEST(Reply, StopsReadingBeyondItsCaps) {
  std::string lines;
  for (int i = 0; i < 511; ++i) lines += "250-x\r\n";
  EXPECT_EQ(read(lines + "250 x\r\n").text.size(), 2 * 512u - 1);
  expect_malformed(lines + "250-x\r\n250 x\r\n");
  expect_malformed("250 " + std::string(256 * 1024, 'x'));
}

TEST(Reply, CapsAreOfOneReplyNotOfTheConnection) {
  ReplyParser parser;
  const std::string reply = "250-" + std::string(1000, 'x') + "\r\n250 x\r\n";
  for (int i = 0; i < 600; ++i) {
    parser.feed(reply);
    ASSERT_EQ(parser.state(), ReplyParser::State::complete) << i << parser.fault();
    parser.take();
  }
}

TEST(Reply, EscapesTextOfStrangers) {
  EXPECT_EQ(escape(std::string_view("a\0b\x1b[1m\r\n\xc3\xa9\xff", 12)), "a\\x00b\\x1B[1m\\x0D\\x0Aé\\xFF");
  EXPECT_EQ(escape("\xe2\x80\xae"), "\\xE2\\x80\\xAE");  // right-to-left override
  EXPECT_EQ(escape("\xc0\x80"), "\\xC0\\x80");           // overlong NUL
}

TEST(Reply, EscapeEndsBetweenCharacters) {
  EXPECT_EQ(escape("abcdef", 3), "abc");
  EXPECT_EQ(escape("aéé", 4), "aé");
  EXPECT_EQ(escape("a\n\n", 8), "a\\x0A");
  EXPECT_EQ(escape("abc", 0), "");
}

TEST(Reply, LongTextIsCutInOneLine) {
  const Reply reply{550, {5, 0, 0}, std::string(1000, 'x')};
  EXPECT_EQ(one_line(reply, 100).size(), 100u);
  EXPECT_EQ(one_line(Reply{250, {}, ""}), "250");
}

TEST(Reply, FormatsLinesForTheWire) {
  EXPECT_EQ(format_reply(250, {2, 1, 0}, "Ok"), "250 2.1.0 Ok\r\n");
  EXPECT_EQ(format_reply(250, {}, "mx.example.com\nPIPELINING\nSIZE 1"),
            "250-mx.example.com\r\n250-PIPELINING\r\n250 SIZE 1\r\n");
  EXPECT_EQ(format_reply(250, {}, ""), "250 \r\n");
}

TEST(Reply, FormattedTextCannotEndItsLine) {
  EXPECT_EQ(format_reply(550, {5, 1, 1}, "a\r250 b"), "550 5.1.1 a\\x0D250 b\r\n");
  EXPECT_EQ(format_reply(550, {5, 1, 1}, std::string(2000, 'x')).size(), 512u);
}

}  // namespace
}  // namespace relayd::smtp
