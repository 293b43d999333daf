#include "shared/mime/decode.hpp"

#include <gtest/gtest.h>

namespace relayd::mime {
namespace {

std::string base64(std::string_view text) {
  return decode(Encoding::base64, text);
}
std::string printable(std::string_view text) {
  return decode(Encoding::quoted_printable, text);
}

TEST(MimeDecode, Base64IsReadThroughWhatDoesNotBelong) {
  EXPECT_EQ(base64("aGVs\r\nbG8="), "hello");
  EXPECT_EQ(base64("aG*V s!bG8"), "hello");
  EXPECT_EQ(base64("aGVsbG8=aGVsbG8="), "hellohello");
  EXPECT_EQ(base64("===="), "");
}

TEST(MimeDecode, QuotedPrintableIsReadAsItIsMeant) {
  EXPECT_EQ(printable("a=3D=\r\nb=c3=A9\r\n"), "a=b\xc3\xa9\r\n");
  EXPECT_EQ(printable("soft=  \r\nline \t\r\nend"), "softline\r\nend");
  EXPECT_EQ(printable("=4 =ZZ =4"), "=4 =ZZ =4");
  EXPECT_EQ(printable("a\nb=\n"), "a\nb");
}

TEST(MimeDecode, WhatIsNotEncodedStays) {
  EXPECT_EQ(decode(encoding_of("8bit"), "=41"), "=41");
  EXPECT_EQ(encoding_of("BASE64"), Encoding::base64);
  EXPECT_EQ(encoding_of("Quoted-Printable"), Encoding::quoted_printable);
}

TEST(MimeDecode, PercentCodesAreRead) {
  EXPECT_EQ(decode_percent("a%2fb%zz%4"), "a/b%zz%4");
}

}  // namespace
}  // namespace relayd::mime
