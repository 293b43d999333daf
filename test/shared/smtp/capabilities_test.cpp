#include "shared/smtp/capabilities.hpp"

#include <gtest/gtest.h>

namespace relayd::smtp {
namespace {

Capabilities parse(std::string text) {
  return parse_capabilities(Reply{250, {}, std::move(text)});
}

TEST(Capabilities, ReadsEveryKnownKeyword) {
  const Capabilities all = parse(
      "mx.example.com\nSIZE 35882577\nPIPELINING\n8BITMIME\nSMTPUTF8\nDSN\nSTARTTLS\nCHUNKING\n"
      "ENHANCEDSTATUSCODES\nREQUIRETLS\nAUTH PLAIN LOGIN\nX-UNKNOWN 1");
  EXPECT_TRUE(all.size && all.pipelining && all.eight_bit_mime && all.smtp_utf8 && all.dsn && all.starttls &&
              all.chunking && all.enhanced_status && all.require_tls);
  EXPECT_EQ(all.size_limit, 35882577u);
  EXPECT_EQ(all.auth, (std::vector<std::string>{"PLAIN", "LOGIN"}));
}

TEST(Capabilities, FirstLineIsAName) {
  EXPECT_FALSE(parse("STARTTLS").starttls);
  EXPECT_FALSE(parse("").starttls);
}

TEST(Capabilities, AnyCaseAndOldAuthForm) {
  const Capabilities read = parse("x\nstarttls\nAUTH=LOGIN plain\nAuth Login  scram-sha-256 ");
  EXPECT_TRUE(read.starttls);
  EXPECT_EQ(read.auth, (std::vector<std::string>{"LOGIN", "PLAIN", "SCRAM-SHA-256"}));
}

TEST(Capabilities, SizeWithoutUsableLimit) {
  for (const char* text : {"x\nSIZE", "x\nSIZE 0", "x\nSIZE many", "x\nSIZE 99999999999999999999999"}) {
    EXPECT_TRUE(parse(text).size) << text;
    EXPECT_EQ(parse(text).size_limit, 0u) << text;
  }
}

TEST(Capabilities, TheirLinesSayTheSame) {
  for (const char* text :
       {"x", "x\nSIZE", "x\nSIZE 1000\n8BITMIME\nSMTPUTF8\nDSN\nREQUIRETLS\nAUTH LOGIN PLAIN",
        "x\nPIPELINING\nSTARTTLS\nCHUNKING\nENHANCEDSTATUSCODES"}) {
    std::string lines = "x";
    for (const std::string& line : to_lines(parse(text))) lines += '\n' + line;
    EXPECT_EQ(parse(lines), parse(text)) << lines;
  }
}

TEST(Capabilities, PartOfAKeywordIsNotTheKeyword) {
  EXPECT_FALSE(parse("x\nSTARTTLSX").starttls);
  EXPECT_FALSE(parse("x\n STARTTLS").starttls);
}

}  // namespace
}  // namespace relayd::smtp
