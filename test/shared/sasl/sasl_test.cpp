#include "shared/sasl/sasl.hpp"

#include <gtest/gtest.h>

#include <string>

namespace relayd::sasl {
namespace {

// "user" and "pencil", as RFC 7677 3 has them.
Credential credential(const std::string& password = "pencil") {
  return {"user", Secret(password)};
}

std::optional<Secret> lookup(std::string_view name) {
  if (name == "user") return Secret("pencil");
  return std::nullopt;
}

struct Ending {
  bool server_accepts = false;
  bool client_complete = false;
  std::string client_error;
  std::string username;
};

// Both sides against each other, as an SMTP session carries them.
Ending talk(const char* mechanism, const Credential& who) {
  Client client(mechanism, who);
  Server server(mechanism, lookup);
  std::optional<std::string> initial;
  if (client.has_initial_response()) initial = *client.step("");
  Server::Step step = server.begin(initial);
  for (int round = 0; round < 6; ++round) {
    if (step.kind == Server::Step::Kind::failure) return {false, client.complete(), "", ""};
    if (step.kind == Server::Step::Kind::success && step.text.empty())
      return {true, client.complete(), "", server.username()};
    const Result<std::string> answer = client.step(step.text);
    if (!answer) return {false, false, answer.error(), ""};
    if (step.kind == Server::Step::Kind::success) return {true, client.complete(), "", server.username()};
    step = server.step(*answer);
  }
  return {};
}

class EveryMechanism : public testing::TestWithParam<const char*> {};

TEST_P(EveryMechanism, TakesTheRightPasswordAndKnowsTheUser) {
  const Ending ending = talk(GetParam(), credential());
  EXPECT_TRUE(ending.server_accepts);
  EXPECT_TRUE(ending.client_complete);
  EXPECT_EQ(ending.username, "user");
}

TEST_P(EveryMechanism, RefusesAWrongPassword) {
  EXPECT_FALSE(talk(GetParam(), credential("pencils")).server_accepts);
}

TEST_P(EveryMechanism, RefusesAnUnknownUserAtTheSameStep) {
  EXPECT_FALSE(talk(GetParam(), {"nobody", Secret("pencil")}).server_accepts);
  EXPECT_FALSE(talk(GetParam(), {"nobody", Secret("\x01 no account has this password")}).server_accepts);
}

INSTANTIATE_TEST_SUITE_P(Sasl, EveryMechanism, testing::Values("PLAIN", "LOGIN", "SCRAM-SHA-256"));

TEST(SaslClient, PlainIsNulSeparated) {
  Client client("plain", {"a", Secret("b")});
  EXPECT_EQ(*client.step(""), "AGEAYg==");  // NUL a NUL b, RFC 4616 2
  EXPECT_TRUE(client.complete());
}

TEST(SaslClient, CramMd5MatchesItsRfc) {
  Client client("CRAM-MD5", {"tim", Secret("tanstaaftanstaaf")});
  // RFC 2195 2
  const Result<std::string> answer = client.step("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+");
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(*answer, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
}

// base64 of "r=<nonce>x,s=QSXCR+Q6sek8bf92,i=<count>" for the nonce the client chose.
std::string server_first(Client& client, const std::string& iterations) {
  const std::string first = *client.step("");
  static const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  unsigned bits = 0;
  int held = 0;
  for (const char c : first) {
    const auto value = alphabet.find(c);
    if (value == std::string::npos) break;
    bits = bits << 6 | static_cast<unsigned>(value);
    held += 6;
    if (held >= 8) text += static_cast<char>(bits >> (held -= 8) & 0xff);
  }
  const std::string nonce = text.substr(text.find("r=") + 2);
  std::string message = "r=" + nonce + "x,s=QSXCR+Q6sek8bf92" + iterations;
  std::string encoded;
  while (message.size() % 3 != 0) message += ',';
  for (std::size_t i = 0; i < message.size(); i += 3) {
    const auto byte = [&](std::size_t k) {
      return static_cast<unsigned>(static_cast<unsigned char>(message[i + k]));
    };
    const unsigned group = byte(0) << 16 | byte(1) << 8 | byte(2);
    for (int shift = 18; shift >= 0; shift -= 6) encoded += alphabet[group >> shift & 63];
  }
  return encoded;
}

class ScramIterations : public testing::TestWithParam<const char*> {};

TEST_P(ScramIterations, OutOfBoundsEndTheExchangeBeforeAnyDerivation) {
  Client client("SCRAM-SHA-256", credential());
  const Result<std::string> answer = client.step(server_first(client, GetParam()));
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().find("iteration"), std::string::npos) << answer.error();
}

INSTANTIATE_TEST_SUITE_P(Sasl, ScramIterations,
                         testing::Values(",i=0", ",i=1", ",i=4095", ",i=600001", ",i=2147483648",
                                         ",i=99999999999999999999", ",i=-1", ",i=4096x", ""));

TEST(SaslClient, AServerThatEndsEarlyProvedNothing) {
  Client client("SCRAM-SHA-256", credential());
  ASSERT_TRUE(client.step(""));
  EXPECT_FALSE(client.complete());  // a 235 now is a lie
}

TEST(SaslClient, AForeignNonceIsRefused) {
  Client client("SCRAM-SHA-256", credential());
  ASSERT_TRUE(client.step(""));
  // r=other,s=QSXCR+Q6sek8bf92,i=4096
  EXPECT_FALSE(client.step("cj1vdGhlcixzPVFTWENSK1E2c2VrOGJmOTIsaT00MDk2"));
}

TEST(SaslServer, GarbageIsAFailureAndNothingWorse) {
  for (const char* mechanism : {"PLAIN", "LOGIN", "SCRAM-SHA-256"})
    for (const char* text : {"=", "====", "*", "A", "AAAA", "!!!!", "AGEAYgBj", "AAAAAAAAAAAAAAAA"}) {
      Server server(mechanism, lookup);
      Server::Step step = server.step(text);
      for (int round = 0; round < 3 && step.kind == Server::Step::Kind::challenge; ++round)
        step = server.step(text);
      EXPECT_EQ(step.kind, Server::Step::Kind::failure) << mechanism << " took " << text;
    }
}

TEST(Sasl, ChoosesByOurOrderAmongWhatIsOffered) {
  EXPECT_EQ(choose({"scram-sha-256", "plain", "login"}, {"LOGIN", "PLAIN", "NTLM"}), "PLAIN");
  EXPECT_EQ(choose({"scram-sha-256"}, {"PLAIN"}), "");
  EXPECT_EQ(choose({"ntlm"}, {"NTLM"}), "");
  EXPECT_FALSE(is_known("DIGEST-MD5"));
}

}  // namespace
}  // namespace relayd::sasl
