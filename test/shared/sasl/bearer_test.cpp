#include "shared/sasl/bearer.hpp"

#include <gtest/gtest.h>

namespace relayd::sasl {
namespace {

using enum Mechanism;

std::string message(Mechanism mechanism, const Bearer& bearer) {
  const Result<Secret> text = bearer_message(mechanism, bearer);
  return text ? std::string(text->reveal()) : text.error();
}

Bearer bearer(std::string username, const std::string& token = "T0KEN") {
  return {std::move(username), Secret(token), "smtp.example.net", 587};
}

TEST(Bearer, Xoauth2NamesTheUserAndTheToken) {
  EXPECT_EQ(message(xoauth2, bearer("ann@example.com")),
            "dXNlcj1hbm5AZXhhbXBsZS5jb20BYXV0aD1CZWFyZXIgVDBLRU4BAQ==");
}

TEST(Bearer, OauthbearerWritesTheUserAsASaslname) {
  EXPECT_EQ(message(oauthbearer, bearer("ann,test@example.com")),
            "bixhPWFubj0yQ3Rlc3RAZXhhbXBsZS5jb20sAWhvc3Q9c210cC5leGFtcGxlLm5ldAFwb3J0PTU4NwFhdXRoPUJlYXJlciBU"
            "MEtFTgEB");
  // "n,a=a=3D@b,^A…"
  EXPECT_TRUE(message(oauthbearer, bearer("a=@b")).starts_with("bixhPWE9M0RAYiwB"));
}

// RFC 7628 4.1, with its fields in our order.
TEST(Bearer, OauthbearerIsThatOfTheRfc) {
  const Bearer of_rfc{"user@example.com", Secret("vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="),
                      "server.example.com", 143};
  EXPECT_EQ(message(oauthbearer, of_rfc),
            "bixhPXVzZXJAZXhhbXBsZS5jb20sAWhvc3Q9c2VydmVyLmV4YW1wbGUuY29tAXBvcnQ9MTQzAWF1dGg9QmVhcmVyIH"
            "ZGOWRmdDRxbVRjMk52YjNSbGNrQmhiSFJoZG1semRHRXVZMjl0Q2c9PQEB");
}

TEST(Bearer, NothingThatWouldEndAFieldOrALineIsWritten) {
  for (const char* token : {"", "a b", "a\1auth=Bearer b", "a\r\nMAIL", "\xc3\xa4", "a,b"})
    EXPECT_FALSE(bearer_message(xoauth2, bearer("ann", token))) << token;
  for (const char* name : {"", "ann\1auth=Bearer b", "ann\n", "ann\x7f"})
    EXPECT_FALSE(bearer_message(oauthbearer, bearer(name))) << name;
  EXPECT_TRUE(bearer_message(xoauth2, bearer("ann", std::string(16 * 1024, 'a'))));
  EXPECT_FALSE(bearer_message(xoauth2, bearer("ann", std::string(16 * 1024 + 1, 'a'))));
}

TEST(Bearer, AnErrorDoesNotTellTheToken) {
  EXPECT_EQ(message(xoauth2, bearer("ann", "canary canary")).find("canary"), std::string::npos);
}

TEST(Bearer, ARefusalIsReadAsFarAsItMatters) {
  EXPECT_EQ(bearer_refusal("eyJzdGF0dXMiOiI0MDAifQ=="), R"({"status":"400"})");
  EXPECT_EQ(bearer_refusal("no base64!"), "no base64!");
  EXPECT_EQ(bearer_refusal(""), "");
  EXPECT_LE(bearer_refusal(std::string(100'000, 'A')).size(), 512U);
  EXPECT_LE(bearer_refusal(std::string(100'000, '!')).size(), 512U);
}

TEST(Bearer, ARefusalIsAnsweredAsTheMechanismWantsIt) {
  EXPECT_EQ(bearer_dismissal(xoauth2), "");
  EXPECT_EQ(bearer_dismissal(oauthbearer), "AQ==");
}

}  // namespace
}  // namespace relayd::sasl
