// What token servers answer.
#include "shared/oauth/reply.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace relayd::oauth {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::SizeIs;

constexpr WallTime now{std::chrono::seconds(1'790'000'000)};  // Mon, 21 Sep 2026 14:13:20 GMT

Grant grant(const std::string& body) {
  const Reply reply = parse_reply({200, {}, body}, now);
  EXPECT_TRUE(std::holds_alternative<Grant>(reply)) << body;
  return std::holds_alternative<Grant>(reply) ? std::get<Grant>(reply) : Grant{};
}
Refusal refusal(int status, const std::string& body, std::vector<http::Header> headers = {}) {
  const Reply reply = parse_reply({status, std::move(headers), body}, now);
  EXPECT_TRUE(std::holds_alternative<Refusal>(reply)) << body;
  return std::holds_alternative<Refusal>(reply) ? std::get<Refusal>(reply) : Refusal{};
}

TEST(OAuthReply, AGrantHasItsTokensAndItsLife) {
  const Grant got = grant(
      R"({"token_type":"Bearer","access_token":"T0KEN","expires_in":3599,"scope":"x","refresh_token":"R.1"})");
  EXPECT_EQ(got.access_token.reveal(), "T0KEN");
  EXPECT_EQ(got.refresh_token.reveal(), "R.1");
  EXPECT_EQ(got.life, 3599s);
}

TEST(OAuthReply, ALifeIsANumberATextOrAnHour) {
  EXPECT_EQ(grant(R"({"access_token":"T","expires_in":"3600"})").life, 3600s);
  EXPECT_EQ(grant(R"({"access_token":"T"})").life, 3600s);
  EXPECT_EQ(grant(R"({"access_token":"T","expires_in":1e300})").life, longest_life);
  for (const char* const wrong : {"0", "-5", "\"soon\"", "\"\"", "[1]"})
    refusal(200, fmt::format(R"({{"access_token":"T","expires_in":{}}})", wrong));
}

TEST(OAuthReply, ATokenThatDoesNotFitOnALineOfSmtpIsNone) {
  for (const std::string& token : {std::string("a b"), std::string("a\\r\\nQUIT"), std::string("\\u0001"),
                                   std::string(), std::string(16 * 1024 + 1, 'a')}) {
    const Refusal got = refusal(200, fmt::format(R"({{"access_token":"{}"}})", token));
    EXPECT_TRUE(got.temporary);
  }
  EXPECT_THAT(
      grant(fmt::format(R"({{"access_token":"{}"}})", std::string(16 * 1024, 'a'))).access_token.reveal(),
      SizeIs(16 * 1024));
}

TEST(OAuthReply, ATokenOfAnotherTypeIsNone) {
  refusal(200, R"({"access_token":"T","token_type":"mac"})");
}

TEST(OAuthReply, ARefusalSaysItsNumberAndItsIds) {
  const Refusal got = refusal(
      400,
      R"({"error":"invalid_grant","error_description":"AADSTS700082: The refresh token has expired","error_codes":[700082],"trace_id":"t-1","correlation_id":"c-1"})");
  EXPECT_EQ(got.error, "invalid_grant");
  EXPECT_EQ(got.code, 700082U);
  EXPECT_EQ(got.trace_id, "t-1");
  EXPECT_EQ(got.correlation_id, "c-1");
  EXPECT_FALSE(got.temporary);
}

TEST(OAuthReply, TheNumberMayStandInTheDescriptionAlone) {
  EXPECT_EQ(refusal(401, R"({"error":"invalid_client","error_description":"AADSTS7000215: Invalid"})").code,
            7000215U);
}

TEST(OAuthReply, SomeOfMicrosoftsNumbersPass) {
  EXPECT_TRUE(refusal(400, R"({"error":"temporarily_unavailable","error_codes":[90033]})").temporary);
  EXPECT_TRUE(refusal(400, R"({"error":"x","error_codes":[70012]})").temporary);
}

TEST(OAuthReply, WhatIsNoAnswerOfATokenServerPasses) {
  for (const int status : {200, 302, 400, 404, 500, 502})
    EXPECT_TRUE(refusal(status, "<html>please log in to the proxy</html>").temporary);
  EXPECT_THAT(refusal(302, "").description, HasSubstr("redirects are not followed"));
}

TEST(OAuthReply, RetryAfterIsObeyedOfWhatPasses) {
  const std::string body = R"({"error":"x"})";
  EXPECT_EQ(refusal(429, body, {{"retry-after", "120"}}).wait, 120s);
  EXPECT_EQ(refusal(503, "", {{"retry-after", "Mon, 21 Sep 2026 14:14:20 GMT"}}).wait, 60s);
  EXPECT_EQ(refusal(400, body, {{"retry-after", "120"}}).wait, std::nullopt);
}

TEST(OAuthReply, WhatAServerSaysIsShortAndOneLine) {
  const Refusal got = refusal(400, fmt::format(R"({{"error":"x\n\u001b[2J","error_description":"a\r\nb{}"}})",
                                               std::string(9000, 'c')));
  EXPECT_EQ(got.error.find_first_of("\r\n\x1b"), std::string::npos);
  EXPECT_EQ(got.description.find_first_of("\r\n"), std::string::npos);
  EXPECT_LE(got.description.size(), 600U);
}

TEST(OAuthReply, TheDateSaysHowFarTheClockIsOff) {
  EXPECT_EQ(clock_skew({200, {{"date", "Mon, 21 Sep 2026 14:03:20 GMT"}}, ""}, now), 600s);
  EXPECT_EQ(clock_skew({200, {{"date", "Mon, 21 Sep 2026 14:23:20 GMT"}}, ""}, now), -600s);
  EXPECT_EQ(clock_skew({200, {}, ""}, now), std::nullopt);
}

TEST(OAuthReply, ACommandPrintsATokenOrJson) {
  const Printed bare = parse_printed("T0KEN\n");
  ASSERT_TRUE(std::holds_alternative<Grant>(bare.reply));
  EXPECT_EQ(std::get<Grant>(bare.reply).access_token.reveal(), "T0KEN");
  EXPECT_EQ(std::get<Grant>(bare.reply).life, 0s);
  const Printed json = parse_printed(R"({"access_token": "T0KEN", "expires_in": 60})");
  ASSERT_TRUE(std::holds_alternative<Grant>(json.reply));
  EXPECT_EQ(std::get<Grant>(json.reply).life, 60s);
  EXPECT_TRUE(std::holds_alternative<Refusal>(parse_printed("no such account").reply));
}

}  // namespace
}  // namespace relayd::oauth
