#include "rewrite/control_fields.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::rewrite {
namespace {

using Form = mail::OwnField::Form;

const mail::ControlFields tagged = {.fields = {{"X-T-Tag", true}, {"X-T-*"}},
                                    .tag = {.name = "X-T-Tag"},
                                    .stream = {.name = "X-T-Stream", .form = Form::word}};
const mail::ControlFields json = {
    .fields = {{"X-JSON"}},
    .tag = {.name = "X-JSON", .before = R"({"c":")", .after = R"("})", .form = Form::json}};
const mail::ControlFields bare = {.fields = {{"X-JSON"}, {"B-Key"}}};
const std::vector<const mail::ControlFields*> all = {&tagged, &json, &bare};

constexpr std::string_view orders =
    "To: t\r\nX-T-Tag: a\r\nX-T-Bcc: b\r\n folded\r\nx-json: {}\r\nX-T: no order\r\nB-KEY : k\r\n\r\n";

std::string left(std::string_view header, const mail::ControlFields* own, bool may_use = false) {
  return with_own_control_fields(header, all, own, may_use).value_or("untouched");
}

TEST(ControlFields, ThoseOfOtherProvidersLeave) {
  for (const bool may_use : {false, true}) {
    EXPECT_EQ(left(orders, nullptr, may_use), "To: t\r\nX-T: no order\r\n\r\n");
    EXPECT_EQ(left("X-T-Tag: a\r\nX-T-Bcc: b\r\n\r\n", &bare, may_use), "\r\n");
  }
}

TEST(ControlFields, ThoseOfTheUpstreamStayWhereTheClientMayUseThem) {
  EXPECT_EQ(left(orders, &tagged, true),
            "To: t\r\nX-T-Tag: a\r\nX-T-Bcc: b\r\n folded\r\nX-T: no order\r\n\r\n");
  EXPECT_EQ(left(orders, &json, true), "To: t\r\nx-json: {}\r\nX-T: no order\r\n\r\n");
  EXPECT_EQ(left(orders, &bare, true), "To: t\r\nx-json: {}\r\nX-T: no order\r\nB-KEY : k\r\n\r\n");
}

TEST(ControlFields, OfTheUpstreamsOwnTheHarmlessOnesStayForEverybody) {
  EXPECT_EQ(left(orders, &tagged), "To: t\r\nX-T-Tag: a\r\nX-T: no order\r\n\r\n");
  EXPECT_EQ(left(orders, &json), "To: t\r\nX-T: no order\r\n\r\n");
}

TEST(ControlFields, AHeaderWithoutThemIsNotTouched) {
  for (const mail::ControlFields* own :
       {&tagged, &json, &bare, static_cast<const mail::ControlFields*>(nullptr)})
    EXPECT_EQ(left("To: t\r\nX-T: no order\r\nX-JSON2: n\r\n\r\nX-JSON: body\r\n", own), "untouched");
}

TEST(ControlFields, OurTagAndStreamBecomeTheProviders) {
  constexpr std::string_view header = "X-Relayd-Tag: news 7\r\nTo: t\r\nx-relayd-stream: bulk-1 \r\n\r\n";
  EXPECT_EQ(left(header, &tagged), "X-T-Tag: news 7\r\nTo: t\r\nX-T-Stream: bulk-1\r\n\r\n");
  EXPECT_EQ(left(header, &json), "X-JSON: {\"c\":\"news 7\"}\r\nTo: t\r\n\r\n");
  EXPECT_EQ(left(header, &bare), "To: t\r\n\r\n");
  EXPECT_EQ(left(header, nullptr, true), "To: t\r\n\r\n");
}

TEST(ControlFields, AValueInJsonCannotEndItsText) {
  EXPECT_EQ(left("X-Relayd-Tag: a\",\\x\r\n", &json), "X-JSON: {\"c\":\"a\\\",\\\\x\"}\r\n");
}

TEST(ControlFields, AValueThatDoesNotFitIsTakenOut) {
  const std::string longest(128, 'x');
  EXPECT_EQ(left("X-Relayd-Tag: " + longest + "\r\n", &tagged), "X-T-Tag: " + longest + "\r\n");
  for (const std::string& value : {longest + "x", std::string("a,b"), std::string("a\tb"),
                                   std::string("a\x7f"), std::string("gr\xc3\xbcn"), std::string(),
                                   std::string("a\r\n b"), std::string("a\0b", 3), std::string("a\rb")})
    EXPECT_EQ(left("X-Relayd-Tag: " + value + "\r\nTo: t\r\n", &tagged), "To: t\r\n") << value;
  for (const std::string_view value : {"a b", "_a", "a.b", "a\"", "a;b"})
    EXPECT_EQ(left("X-Relayd-Stream: " + std::string(value) + "\r\nTo: t\r\n", &tagged), "To: t\r\n")
        << value;
}

TEST(ControlFields, OneTagIsEnough) {
  EXPECT_EQ(left("X-Relayd-Tag: ,\r\nX-Relayd-Tag: a\r\nX-Relayd-Tag: b\r\n", &tagged), "X-T-Tag: a\r\n");
}

TEST(ControlFields, TheProvidersOwnFieldBeatsOurs) {
  EXPECT_EQ(left("X-Relayd-Tag: a\r\nX-T-Tag: b\r\n", &tagged), "X-T-Tag: b\r\n");
  EXPECT_EQ(left("X-Relayd-Tag: a\r\nX-JSON: b\r\n", &json, true), "X-JSON: b\r\n");
  EXPECT_EQ(left("X-Relayd-Tag: a\r\nX-JSON: b\r\n", &json, false), "X-JSON: {\"c\":\"a\"}\r\n");
}

}  // namespace
}  // namespace relayd::rewrite
