#include "fake/token_message.hpp"

#include <gtest/gtest.h>

#include "shared/base/base64.hpp"
#include "shared/sasl/bearer.hpp"

namespace relayd::fake {
namespace {

using enum sasl::Mechanism;

// "NAME TOKEN"; empty: it is none.
std::string read(sasl::Mechanism mechanism, std::string_view octets) {
  const std::optional<TokenMessage> message = read_token_message(mechanism, base64::encode(octets));
  return message ? message->username + " " + message->token : "";
}

TEST(TokenMessage, IsReadAsAClientOfOursWritesIt) {
  for (const sasl::Mechanism mechanism : {xoauth2, oauthbearer}) {
    const Result<Secret> text =
        sasl::bearer_message(mechanism, {"a,b=c@example.com", Secret("T0KEN"), "smtp.example.net", 587});
    const std::optional<TokenMessage> message = read_token_message(mechanism, text->reveal());
    ASSERT_TRUE(message);
    EXPECT_EQ(message->username, "a,b=c@example.com");
    EXPECT_EQ(message->token, "T0KEN");
  }
}

// What libraries write differs in the host and the port, in their order, and in the case of "Bearer".
TEST(TokenMessage, OfOthersIsReadToo) {
  EXPECT_EQ(read(oauthbearer, "n,a=ann,\1auth=Bearer t\1\1"), "ann t");
  EXPECT_EQ(read(oauthbearer, "n,a=ann,\1auth=Bearer t\1port=587\1host=h\1\1"), "ann t");
  EXPECT_EQ(read(xoauth2, "user=ann\1auth=bearer t\1\1"), "ann t");
}

TEST(TokenMessage, WithoutAPartIsNone) {
  for (const char* const octets :
       {"", "user=ann", "user=ann\1\1", "user=ann\1auth=Bearer t", "user=ann\1auth=Bearer t\1",
        "user=\1auth=Bearer t\1\1", "user=ann\1auth=Bearer \1\1", "user=ann\1auth=Basic t\1\1",
        "user=ann\1auth=Bearer a b\1\1", "user=ann\1auth=Bearer t\1auth=Bearer u\1\1",
        "user=ann\1auth=Bearer t\1\1more", "n,a=ann,\1auth=Bearer t\1\1"})
    EXPECT_EQ(read(xoauth2, octets), "") << octets;
  for (const char* const octets :
       {"n,,\1auth=Bearer t\1\1", "n,a=ann\1auth=Bearer t\1\1", "n,a=a,b,\1auth=Bearer t\1\1",
        "n,a=a=b,\1auth=Bearer t\1\1", "y,a=ann,\1auth=Bearer t\1\1", "user=ann\1auth=Bearer t\1\1"})
    EXPECT_EQ(read(oauthbearer, octets), "") << octets;
  EXPECT_FALSE(read_token_message(xoauth2, "no base64"));
}

}  // namespace
}  // namespace relayd::fake
