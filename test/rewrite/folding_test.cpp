#include "rewrite/folding.hpp"

#include <gtest/gtest.h>

namespace relayd::rewrite {
namespace {

std::string x(std::size_t octets) {
  return std::string(octets, 'x');
}

TEST(Folding, AFieldWithoutLongLinesStays) {
  for (const std::string& field :
       {std::string("To: a@b\r\n"), "To: " + x(994) + "\r\n", "To: " + x(994) + "\r\n " + x(997) + "\r\n",
        std::string("To: a@b"), std::string()})
    EXPECT_EQ(fitted(field), field);
}

TEST(Folding, ALongLineIsBrokenBeforeTheLastBlankOrBehindTheLastComma) {
  EXPECT_EQ(fitted("To: a@b, " + x(900) + " c@d,  " + x(100) + "\r\n"),
            "To: a@b, " + x(900) + " c@d,\r\n  " + x(100) + "\r\n");
  EXPECT_EQ(fitted("To: a@b," + x(900) + "," + x(100) + "\r\n"),
            "To: a@b," + x(900) + ",\r\n " + x(100) + "\r\n");
  EXPECT_EQ(fitted("To: a@b,\r\n\t" + x(500) + ",\t" + x(500) + "\r\n"),
            "To: a@b,\r\n\t" + x(500) + ",\r\n\t" + x(500) + "\r\n");
  EXPECT_EQ(fitted("To: " + x(995) + "\r\n"), "To:\r\n " + x(995) + "\r\n");
  EXPECT_EQ(fitted("To: " + x(990) + ", " + x(990) + ", " + x(990)),
            "To: " + x(990) + ",\r\n " + x(990) + ",\r\n " + x(990));
}

TEST(Folding, ACommaBelongsToItsLine) {
  EXPECT_EQ(fitted("To: a," + x(991) + ",b\r\n"), "To: a," + x(991) + ",\r\n b\r\n");
  EXPECT_EQ(fitted("To: a," + x(992) + ",b\r\n"), "To: a,\r\n " + x(992) + ",b\r\n");
}

TEST(Folding, NothingThatBelongsTogetherIsTornApart) {
  EXPECT_EQ(fitted("To: \"a " + x(900) + ", b\" <c@d> \"" + x(100) + " y\" <e@f>\r\n"),
            "To: \"a " + x(900) + ", b\" <c@d>\r\n \"" + x(100) + " y\" <e@f>\r\n");
  EXPECT_EQ(fitted("To: b," + x(980) + " =?utf-8?q?a,b,c,d?= <c@d>\r\n"),
            "To: b," + x(980) + "\r\n =?utf-8?q?a,b,c,d?= <c@d>\r\n");
  EXPECT_EQ(fitted("To: b, " + x(980) + " . d @ e.f, g\r\n"), "To: b,\r\n " + x(980) + " . d @ e.f, g\r\n");
  EXPECT_EQ(fitted("To: c, <@r1, @r2 : " + x(980) + "@e>\r\n"),
            "To: c,\r\n <@r1, @r2 : " + x(980) + "@e>\r\n");
  EXPECT_EQ(fitted("To: c (" + x(984) + ",d \\( e\\) (f) g) <h@i>\r\n"),
            "To: c (" + x(984) + ",d \\(\r\n e\\) (f) g) <h@i>\r\n");
}

TEST(Folding, WhatCannotBeFoldedIsNoField) {
  EXPECT_EQ(fitted("To:" + x(996) + "\r\n"), std::nullopt);
  EXPECT_EQ(fitted("To: " + x(998) + "\r\n"), std::nullopt);
  EXPECT_EQ(fitted("To: \"a " + x(1000) + " b\" <c@d>\r\n"), std::nullopt);
  EXPECT_EQ(fitted("To : " + x(1000) + ", b\r\n"), std::nullopt);
}

TEST(Folding, NoLineBecomesBlank) {
  EXPECT_EQ(fitted("To: a, " + x(991) + "   \r\n"), "To: a,\r\n " + x(991) + "   \r\n");
  EXPECT_EQ(fitted("To: a,\r\n  " + x(997) + "\r\n"), std::nullopt);
}

}  // namespace
}  // namespace relayd::rewrite
