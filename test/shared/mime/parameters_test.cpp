#include "shared/mime/parameters.hpp"

#include <gtest/gtest.h>

namespace relayd::mime {
namespace {

std::string name_in(std::string_view body) {
  return parameters_of(body).value("filename");
}

TEST(Parameters, AreReadInEveryForm) {
  const Parameters type = parameters_of(" Text/HTML (a \\) comment);\r\n CharSet = UTF-8 ; x=\"a;\\\"b\"; y");
  EXPECT_EQ(type.word, "text/html");
  EXPECT_EQ(type.value("charset"), "UTF-8");
  EXPECT_EQ(type.value("x"), "a;\"b");
  EXPECT_EQ(type.value("y"), "");
}

TEST(Parameters, PiecesArePutTogether) {  // RFC 2231 3, 4.1
  EXPECT_EQ(name_in("attachment; filename*1=b; filename*0=\"a\"; filename*2*=%63; filename*4=e"), "abc");
  EXPECT_EQ(name_in("attachment; filename*0*=utf-8'en'%c3%a9; filename*1=%41"), "\xc3\xa9%41");
}

TEST(Parameters, ACharsetIsNoPartOfTheValue) {
  EXPECT_EQ(name_in("attachment; filename=fallback; filename*=UTF-8''na%C3%AFve%20plan"),
            "na\xc3\xafve plan");
  EXPECT_EQ(name_in("attachment; filename*=no-quotes"), "no-quotes");
}

TEST(Parameters, EncodedWordsAreReadThoughTheyMayNotStandThere) {
  EXPECT_EQ(name_in("attachment; filename=\"=?utf-8?q?Gr=C3=BC=C3=9Fe?=.txt\""), "Grüße.txt");
}

TEST(Parameters, BrokenOnesAreReadAsMostWouldMeanThem) {
  EXPECT_EQ(name_in("attachment; filename=two words.pdf; size=3"), "two words.pdf");
  EXPECT_EQ(name_in("attachment; filename=\"no end"), "no end");
  EXPECT_EQ(name_in("attachment; filename=\"cut\r\n in two\""), "cut in two");
  EXPECT_EQ(name_in("attachment;;; =x; filename=y"), "y");
  EXPECT_EQ(name_in("(((("), "");
  EXPECT_EQ(name_in("attachment (no end; filename=x"), "");
}

TEST(Parameters, AreBounded) {
  std::string many = "attachment";
  for (int i = 0; i < 5000; ++i) many += "; filename*" + std::to_string(i) + "=x";
  EXPECT_LE(parameters_of(many).all.size(), most_parameters);
  EXPECT_LE(name_in("attachment; filename=" + std::string(1 << 20, 'x')).size(), 4096u);
}

}  // namespace
}  // namespace relayd::mime
