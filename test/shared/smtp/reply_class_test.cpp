#include "shared/smtp/reply_class.hpp"

#include <gtest/gtest.h>

namespace relayd::smtp {
namespace {

TEST(ReplyClass, HasOneWordForEachValue) {
  for (int value = 0; value <= static_cast<int>(ReplyClass::temp); ++value) {
    const auto reply_class = static_cast<ReplyClass>(value);
    EXPECT_FALSE(to_string(reply_class).empty()) << value;
    EXPECT_EQ(find_word<ReplyClass>(to_string(reply_class)), reply_class) << value;
  }
  EXPECT_EQ(find_word<ReplyClass>("Tls"), std::nullopt);
}

TEST(ReplyClasses, AreASet) {
  ReplyClasses classes{ReplyClass::temp, ReplyClass::none};
  classes.insert(ReplyClass::temp);
  EXPECT_EQ(classes, (ReplyClasses{ReplyClass::none, ReplyClass::temp}));
  for (const auto& [word, value] : words_of(ReplyClass{}))
    EXPECT_EQ(classes.has(value), value == ReplyClass::temp || value == ReplyClass::none) << word;
}

TEST(ReplyClasses, AreWrittenInOneOrder) {
  EXPECT_EQ(to_string(ReplyClasses{ReplyClass::rate, ReplyClass::connect, ReplyClass::quota}),
            "connect, quota, rate");
  EXPECT_EQ(to_string(ReplyClasses{}), "");
}

}  // namespace
}  // namespace relayd::smtp
