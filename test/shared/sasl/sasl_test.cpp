#include "shared/sasl/sasl.hpp"

#include <gtest/gtest.h>

#include <string>

#include "shared/sasl/traits.hpp"

namespace relayd::sasl {
namespace {

using enum Mechanism;

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view bytes) {
  std::string encoded;
  unsigned bits = 0;
  int held = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (held += 8; held >= 6; held -= 6) encoded += alphabet[bits >> (held - 6) & 63];
  }
  if (held > 0) encoded += alphabet[bits << (6 - held) & 63];
  while (encoded.size() % 4 != 0) encoded += '=';
  return encoded;
}

std::string plain_text(std::string_view encoded) {
  std::string bytes;
  unsigned bits = 0;
  int held = 0;
  for (const char c : encoded.substr(0, encoded.find('='))) {
    bits = bits << 6 | static_cast<unsigned>(alphabet.find(c));
    held += 6;
    if (held >= 8) bytes += static_cast<char>(bits >> (held -= 8) & 0xff);
  }
  return bytes;
}

// "user" and "pencil", as RFC 7677 3 has them.
constexpr std::string_view pencil =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
Credential credential(const std::string& password = "pencil") {
  return {"user", Secret(password)};
}

std::optional<Server::Stored> lookup(std::string_view name) {
  if (name == "user") return Secret("pencil");
  if (name == "kept") return *parse_scram_secret(pencil);
  return std::nullopt;
}

const ChannelBinding exporter{"tls-exporter", std::string("\x01\x00\xff", 3)};

struct Ending {
  bool server_accepts = false;
  bool client_complete = false;
  std::string client_error;
  std::string username;
};

// Both sides against each other, as an SMTP session carries them.
Ending talk(Mechanism mechanism, const Credential& who,
            const std::optional<ChannelBinding>& clients = exporter,
            const std::optional<ChannelBinding>& servers = exporter) {
  Client client(mechanism, who, clients);
  Server server(mechanism, lookup, servers);
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

class EveryMechanism : public testing::TestWithParam<Mechanism> {};

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

TEST_P(EveryMechanism, ChecksAgainstAKeptScramSecret) {
  EXPECT_TRUE(talk(GetParam(), {"kept", Secret("pencil")}).server_accepts);
  EXPECT_FALSE(talk(GetParam(), {"kept", Secret("pencils")}).server_accepts);
  EXPECT_FALSE(talk(GetParam(), {"kept", Secret(std::string(pencil))}).server_accepts);
}

INSTANTIATE_TEST_SUITE_P(Sasl, EveryMechanism,
                         testing::Values(plain, login, scram_sha_256, scram_sha_256_plus));

// --- channel binding ---

// What the client says first, without base64.
std::string opening(Mechanism mechanism, const std::optional<ChannelBinding>& binding) {
  Client client(mechanism, credential(), binding);
  const Result<std::string> first = client.step("");
  return first ? plain_text(*first) : first.error();
}

TEST(SaslBinding, BothEndsMustSeeTheSameConnection) {
  const ChannelBinding other{"tls-exporter", "another connection"};
  const ChannelBinding unique{"tls-unique", exporter.data};
  EXPECT_FALSE(talk(scram_sha_256_plus, credential(), exporter, other).server_accepts);
  EXPECT_FALSE(talk(scram_sha_256_plus, credential(), exporter, unique).server_accepts);
  EXPECT_FALSE(talk(scram_sha_256_plus, credential(), exporter, std::nullopt).server_accepts);
  EXPECT_TRUE(talk(scram_sha_256_plus, credential(), unique, unique).client_complete);
}

TEST(SaslBinding, IsNamedInTheGs2Header) {
  EXPECT_TRUE(opening(scram_sha_256_plus, exporter).starts_with("p=tls-exporter,,n=user,r="));
  EXPECT_TRUE(opening(scram_sha_1_plus, exporter).starts_with("p=tls-exporter,,n=user,r="));
  EXPECT_TRUE(opening(scram_sha_256_plus, ChannelBinding{"tls-unique", "x"}).starts_with("p=tls-unique,,n="));
  EXPECT_TRUE(opening(scram_sha_256, exporter).starts_with("n,,n=user,r="));
}

TEST(SaslBinding, MissingItPlusDoesNotBegin) {
  Client client(scram_sha_256_plus, credential());
  EXPECT_FALSE(client.step(""));
}

TEST(SaslBinding, AClientFromWhichPlusWasHiddenIsRefused) {
  // y,,n=user,r=abc: it could bind, and was told that we cannot (RFC 5802 6).
  EXPECT_EQ(Server(scram_sha_256, lookup, exporter).begin("eSwsbj11c2VyLHI9YWJj").kind,
            Server::Step::Kind::failure);
  EXPECT_EQ(Server(scram_sha_256, lookup).begin("eSwsbj11c2VyLHI9YWJj").kind, Server::Step::Kind::challenge);
}

// --- what a server keeps ---

TEST(ScramSecret, IsMadeAsItsRfcHasIt) {
  // The password, salt and count of RFC 7677 3.
  const std::string salt = plain_text("W22ZaJ0SNY7soEsUEjb6gQ==");
  EXPECT_EQ(*make_scram_secret(Secret("pencil"), 4096, salt), pencil);
  EXPECT_NE(*make_scram_secret(Secret("pencil")), *make_scram_secret(Secret("pencil")));
  const Result<ScramSecret> secret = parse_scram_secret(pencil);
  ASSERT_TRUE(secret) << secret.error();
  EXPECT_EQ(secret->iterations, 4096u);
  EXPECT_EQ(secret->salt, salt);
  EXPECT_EQ(secret->stored_key.size(), 32u);
  EXPECT_NE(secret->stored_key, secret->server_key);
}

TEST(ScramSecret, WhatIsNoneIsRefused) {
  const std::string good(pencil);
  EXPECT_TRUE(parse_scram_secret("scram-sha-256" + good.substr(13)));
  for (const std::string& text :
       {std::string(), std::string("pencil"), good.substr(0, good.size() - 4), good + "AAAA",
        "SCRAM-SHA-1" + good.substr(13), "SCRAM-SHA-256$4095" + good.substr(18),
        "SCRAM-SHA-256$600001" + good.substr(18), "SCRAM-SHA-256$4096:" + good.substr(43),
        "SCRAM-SHA-256$4096:!!" + good.substr(43), good.substr(0, 44) + ":"})
    EXPECT_FALSE(parse_scram_secret(text)) << text;
  EXPECT_FALSE(make_scram_secret(Secret("pencil"), 4095));
  EXPECT_FALSE(make_scram_secret(Secret("pencil"), 600'001));
}

TEST(SaslServer, ANameThatNobodyHasLooksLikeOneThatIsKept) {
  const auto salt_for = [](const std::string& name) {
    Server server(scram_sha_256, lookup);
    const std::string first = plain_text(server.begin(*Client(scram_sha_256, {name, {}}).step("")).text);
    return first.substr(first.find(",s="));
  };
  EXPECT_EQ(salt_for("kept"), ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  EXPECT_EQ(salt_for("nobody"), salt_for("nobody"));
  EXPECT_NE(salt_for("nobody"), salt_for("somebody"));
  EXPECT_EQ(salt_for("nobody").size(), salt_for("kept").size());
}

TEST(SaslServer, SaysWhenAStepMayTakeLong) {
  Server in_clear(plain, lookup);
  EXPECT_TRUE(in_clear.needs_derivation());
  Server scram(scram_sha_256, lookup);
  EXPECT_FALSE(scram.needs_derivation());
  scram.begin(*Client(scram_sha_256, credential()).step(""));
  EXPECT_TRUE(scram.needs_derivation());
  Server in_two_steps(login, lookup);
  EXPECT_FALSE(in_two_steps.needs_derivation());
  in_two_steps.begin("dXNlcg==");
  EXPECT_TRUE(in_two_steps.needs_derivation());
}

TEST(SaslServer, NobodyActsForAnother) {
  const auto takes = [](std::string_view message) {
    return Server(plain, lookup).begin(base64(message)).kind == Server::Step::Kind::success;
  };
  using namespace std::string_view_literals;
  EXPECT_TRUE(takes("\0user\0pencil"sv));
  EXPECT_TRUE(takes("user\0user\0pencil"sv));
  EXPECT_FALSE(takes("kept\0user\0pencil"sv));
}

TEST(SaslClient, PlainIsNulSeparated) {
  Client client(plain, {"a", Secret("b")});
  EXPECT_EQ(*client.step(""), "AGEAYg==");  // NUL a NUL b, RFC 4616 2
  EXPECT_TRUE(client.complete());
  EXPECT_FALSE(client.step("UGFzc3dvcmQ6"));  // a 334 after all that PLAIN has to say
}

TEST(SaslClient, ExternalNamesWhoToActAs) {
  EXPECT_EQ(*Client(external, {"", {}}).step(""), "");
  Client named(external, {"bob", {}});
  EXPECT_TRUE(named.has_initial_response());
  EXPECT_EQ(*named.step(""), "Ym9i");
  EXPECT_TRUE(named.complete());
}

TEST(SaslClient, NothingIsSentForNobody) {
  for (const Mechanism mechanism : {plain, login, cram_md5, scram_sha_256})
    EXPECT_FALSE(Client(mechanism, {"", Secret("pencil")}).step("")) << to_string(mechanism);
}

TEST(SaslClient, AHugeChallengeIsAnErrorAndNothingWorse) {
  const std::string huge(64 * 1024, 'A');
  for (const Mechanism mechanism : {plain, scram_sha_256, scram_sha_1}) {
    Client client(mechanism, credential());
    ASSERT_TRUE(client.step(""));
    EXPECT_FALSE(client.step(huge)) << to_string(mechanism);
  }
}

TEST(SaslClient, CramMd5MatchesItsRfc) {
  Client client(cram_md5, {"tim", Secret("tanstaaftanstaaf")});
  // RFC 2195 2
  const Result<std::string> answer = client.step("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+");
  ASSERT_TRUE(answer) << answer.error();
  EXPECT_EQ(*answer, "dGltIGI5MTNhNjAyYzdlZGE3YTQ5NWI0ZTZlNzMzNGQzODkw");
}

// What a server answers a client's first message with: the client's nonce continued, and `rest`.
std::string server_first(Client& client, const std::string& rest) {
  const std::string first = plain_text(*client.step(""));
  return base64("r=" + first.substr(first.find("r=") + 2) + "x" + rest);
}

class ServerFirst : public testing::TestWithParam<const char*> {};

TEST_P(ServerFirst, OutOfBoundsEndsTheExchangeBeforeAnyDerivation) {
  for (const Mechanism mechanism : {scram_sha_256, scram_sha_256_plus, scram_sha_1}) {
    Client client(mechanism, credential(), exporter);
    const Result<std::string> answer = client.step(server_first(client, GetParam()));
    ASSERT_FALSE(answer);
    // Ours, not the library's.
    EXPECT_NE(answer.error().find(" SCRAM "), std::string::npos) << answer.error();
  }
}

INSTANTIATE_TEST_SUITE_P(Sasl, ServerFirst,
                         testing::Values(",s=QSXC,i=0", ",s=QSXC,i=1", ",s=QSXC,i=4095", ",s=QSXC,i=600001",
                                         ",s=QSXC,i=2147483648", ",s=QSXC,i=99999999999999999999",
                                         ",s=QSXC,i=-1", ",s=QSXC,i=4096x", ",s=QSXC,i=", ",s=QSXC", "",
                                         ",s=,i=4096", ",i=4096,s=QSXC", ",i=4096,s=QSXC,i=1",
                                         ",m=x,s=QSXC,i=4096"));

TEST(SaslClient, AServersErrorOrDemandInsteadOfANonceEndsTheExchange) {
  for (const char* message : {"e=other-error", "m=must,r=x,s=QSXC,i=4096", ",,", "r="}) {
    Client client(scram_sha_256, credential());
    ASSERT_TRUE(client.step(""));
    EXPECT_FALSE(client.step(base64(message))) << message;
  }
}

TEST(SaslClient, ASaltOf100KilobytesIsRefused) {
  Client client(scram_sha_256, credential());
  EXPECT_FALSE(client.step(server_first(client, ",s=" + std::string(100'000, 'A') + ",i=4096")));
}

TEST(SaslClient, AnExtensionAfterTheCountIsIgnored) {
  Client client(scram_sha_256, credential());
  EXPECT_TRUE(client.step(server_first(client, ",s=QSXC,i=4096,x=y")));  // RFC 5802 5.1
}

TEST(SaslClient, AServerThatEndsEarlyProvedNothing) {
  Client client(scram_sha_256, credential());
  ASSERT_TRUE(client.step(""));
  EXPECT_FALSE(client.complete());  // a 235 now is a lie
}

TEST(SaslClient, AForeignNonceIsRefused) {
  Client client(scram_sha_256, credential());
  ASSERT_TRUE(client.step(""));
  EXPECT_FALSE(client.step(base64("r=other,s=QSXCR+Q6sek8bf92,i=4096")));
}

TEST(SaslServer, GarbageIsAFailureAndNothingWorse) {
  for (const Mechanism mechanism : {plain, login, scram_sha_256, scram_sha_256_plus})
    for (const char* text : {"=", "====", "*", "A", "AAAA", "!!!!", "AGEAYgBj", "AAAAAAAAAAAAAAAA"}) {
      Server server(mechanism, lookup);
      Server::Step step = server.step(text);
      for (int round = 0; round < 3 && step.kind == Server::Step::Kind::challenge; ++round)
        step = server.step(text);
      EXPECT_EQ(step.kind, Server::Step::Kind::failure) << to_string(mechanism) << " took " << text;
    }
}

TEST(Sasl, ChoosesByOurOrderAmongWhatIsOffered) {
  EXPECT_EQ(choose({scram_sha_256, plain, login}, {"LOGIN", "PLAIN", "NTLM"}), plain);
  EXPECT_EQ(choose({scram_sha_256}, {"PLAIN"}), std::nullopt);
  EXPECT_EQ(choose({external, plain}, {"plain", "external"}), external);
}

TEST(Sasl, NamesAreKnownInAnyCase) {
  EXPECT_EQ(find_mechanism("Scram-SHA-256-plus"), scram_sha_256_plus);
  EXPECT_EQ(find_mechanism("DIGEST-MD5"), std::nullopt);
  EXPECT_EQ(find_mechanism(""), std::nullopt);
  EXPECT_EQ(wire_name(cram_md5), "CRAM-MD5");
  EXPECT_EQ(to_string({plain, external}), "plain, external");
}

TEST(Sasl, EveryMechanismHasItsTraits) {
  for (const auto& [word, mechanism] : words_of(Mechanism{}))
    EXPECT_EQ(traits_of(mechanism).mechanism, mechanism) << word;
}

TEST(Sasl, PlusIsChosenWhereTheConnectionCanBeBound) {
  const std::vector<Mechanism> preferred = {scram_sha_256_plus, scram_sha_256, plain};
  EXPECT_EQ(choose(preferred, {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}, exporter),
            scram_sha_256_plus);
  EXPECT_EQ(choose(preferred, {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"}), scram_sha_256);
  EXPECT_EQ(choose(preferred, {"PLAIN", "SCRAM-SHA-256"}, exporter), scram_sha_256);
}

TEST(Sasl, WhatWasRefusedIsNotChosenAgain) {
  const std::vector<Mechanism> preferred = {scram_sha_256, plain, login};
  EXPECT_EQ(choose(preferred, {"PLAIN", "LOGIN", "SCRAM-SHA-256"}, {}, {scram_sha_256}), plain);
  EXPECT_EQ(choose(preferred, {"PLAIN", "SCRAM-SHA-256"}, {}, {scram_sha_256, plain}), std::nullopt);
}

TEST(Sasl, ServersOfferPlusWhereItCanBeDone) {
  EXPECT_EQ(server_mechanisms(), "SCRAM-SHA-256 PLAIN LOGIN");
  EXPECT_EQ(server_mechanisms(true), "SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN");
}

}  // namespace
}  // namespace relayd::sasl
