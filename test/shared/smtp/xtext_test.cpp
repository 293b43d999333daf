#include "shared/smtp/xtext.hpp"

#include <gtest/gtest.h>

namespace relayd::smtp {
namespace {

TEST(Xtext, RoundTrip) {
  const std::string text = "a+b=c d\xc3\xa9";
  EXPECT_EQ(encode_xtext(text), "a+2Bb+3Dc+20d+C3+A9");
  EXPECT_EQ(decode_xtext(encode_xtext(text)), text);
  EXPECT_EQ(decode_xtext(""), "");
}

TEST(Xtext, RefusesWhatIsNotXtext) {
  for (const char* text : {"+", "+2", "+2b", "+XX", "a=b", "a b", "\xc3\xa9", "a\nb"})
    EXPECT_EQ(decode_xtext(text), std::nullopt) << text;
}

TEST(Xtext, RefusesHiddenControls) {
  for (const char* text : {"a+0A", "a+0D+0A", "+00", "+7F", "+1B"})
    EXPECT_EQ(decode_xtext(text), std::nullopt) << text;
}

}  // namespace
}  // namespace relayd::smtp
