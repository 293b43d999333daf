#include "fake/dialogue.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "providers/provider.hpp"
#include "shared/base/base64.hpp"
#include "shared/sasl/bearer.hpp"

namespace relayd::fake {
namespace {

using Next = Dialogue::Next;

// A client of a fake that has STARTTLS behind it.
class Client {
 public:
  explicit Client(std::string_view provider, std::string_view behaviour = "ok",
                  std::optional<std::uint32_t> times = {})
      : part_{.provider = *providers::find(provider),
              .host = "smtp.example.net",
              .password = "right",
              .token = "T0KEN",
              .behaviour = find_behaviour(part_.provider, behaviour),
              .times = times,
              .on_note = [this](const Note& note) {
                noted_.emplace_back(note.reply);
                account_ = note.account;
              }} {
    greeting_ = dialogue_.greet().text;
    dialogue_.encrypted();
  }

  const std::string& greeting() const { return greeting_; }
  std::string say(std::string_view line) {
    const Dialogue::Answer answer = dialogue_.read(line);
    next_ = answer.next;
    return answer.text;
  }
  std::string log_in(const std::string& name, const std::string& password) {
    say("EHLO app.example.com");
    return say("AUTH PLAIN " + base64::encode(std::string("\0", 1) + name + std::string("\0", 1) + password));
  }
  // The reply to the final dot.
  std::string send(std::string_view content = "Subject: hi\r\n\r\nhello\r\n", std::uint64_t octets = 23) {
    const std::string from = say("MAIL FROM:<app@example.com>");
    if (!from.starts_with("250")) return from;
    say("RCPT TO:<ann@example.net>");
    const std::string go = say("DATA");
    if (next_ != Next::content) return go;
    const Dialogue::Answer answer = dialogue_.take(content, octets);
    next_ = answer.next;
    return answer.text;
  }
  Next next() const { return next_; }
  const std::vector<std::string>& noted() const { return noted_; }
  const std::string& account() const { return account_; }  // of the last note

 private:
  Part part_;
  Dialogue dialogue_{part_, true};
  std::string greeting_;
  Next next_ = Next::line;
  std::vector<std::string> noted_;
  std::string account_;
};

TEST(Dialogue, TakesAMessageWithTheProvidersOwnWords) {
  Client client("gmail");
  EXPECT_TRUE(client.greeting().starts_with("220 smtp.example.net "));
  EXPECT_TRUE(client.log_in("app@example.com", "right").starts_with("235 "));
  EXPECT_EQ(client.send(), "250 2.0.0 OK  1700000000 sandbox-000001 - gsmtp\r\n");
  EXPECT_EQ(client.noted().size(), 1u);
}

TEST(Dialogue, OffersWhatTheProviderDoes) {
  Client client("sendgrid");
  EXPECT_EQ(client.say("EHLO a.example"),
            "250-smtp.example.net\r\n250-8BITMIME\r\n250-PIPELINING\r\n250-SIZE 31457280\r\n250 AUTH PLAIN "
            "LOGIN\r\n");
  const auto offers = [](const char* provider, const char* mechanisms) {
    return Client(provider).say("EHLO a.example").ends_with(fmt::format("250 AUTH {}\r\n", mechanisms));
  };
  EXPECT_TRUE(offers("office365", "LOGIN XOAUTH2"));
  EXPECT_TRUE(offers("office365-hve", "XOAUTH2"));
  EXPECT_TRUE(offers("gmail", "PLAIN LOGIN XOAUTH2 OAUTHBEARER"));
  EXPECT_TRUE(offers("cyberimpact", "PLAIN LOGIN"));
}

TEST(Dialogue, RefusesAWrongPasswordAsTheProviderDoes) {
  Client client("ses");
  EXPECT_EQ(client.log_in("AKIAEXAMPLE", "wrong"), "535 Authentication Credentials Invalid\r\n");
  EXPECT_EQ(client.send(), "530 5.7.0 Authentication required\r\n");
}

TEST(Dialogue, RefusesAUsernameThatCannotBeOneThere) {
  EXPECT_TRUE(Client("sendgrid").log_in("app@example.com", "right").starts_with("535 "));
  EXPECT_TRUE(Client("sparkpost").log_in("SMTP_Injection:X-MSYS-SUBACCOUNT=3", "right").starts_with("504 "));
  EXPECT_TRUE(Client("gmail").log_in("app", "right").starts_with("535 "));
}

TEST(Dialogue, AsksForALoginOnlyWhereThereIsOne) {
  Client client("m365-connector");
  EXPECT_EQ(client.say("EHLO a.example").find("AUTH"), std::string::npos);
  EXPECT_TRUE(client.send().starts_with("250 2.0.0 OK <sandbox-000001@"));
}

TEST(Dialogue, TakesLoginsStepByStep) {
  Client client("sparkpost");
  client.say("EHLO a.example");
  EXPECT_TRUE(client.say("AUTH LOGIN").starts_with("334 "));
  EXPECT_TRUE(client.say(base64::encode("SMTP_Injection:X-MSYS-SUBACCOUNT=3")).starts_with("334 "));
  EXPECT_TRUE(client.say(base64::encode("right")).starts_with("235 "));
}

// The reply to the message, which goes behind the 334 as a client of ours sends it.
std::string log_in_by_token(Client& client, sasl::Mechanism mechanism, const std::string& name,
                            const std::string& token) {
  client.say("EHLO app.example.com");
  EXPECT_EQ(client.say("AUTH " + sasl::wire_name(mechanism)), "334 \r\n");
  return client.say(
      sasl::bearer_message(mechanism, {name, Secret(token), "smtp.example.net", 587})->reveal());
}

TEST(Dialogue, TakesATokenAndSendsForItsUser) {
  for (const sasl::Mechanism mechanism : {sasl::Mechanism::xoauth2, sasl::Mechanism::oauthbearer}) {
    Client client("gmail");
    EXPECT_TRUE(log_in_by_token(client, mechanism, "a,b=c@example.com", "T0KEN").starts_with("235 "));
    EXPECT_TRUE(client.send().starts_with("250 "));
    EXPECT_EQ(client.account(), "a,b=c@example.com");
  }
}

TEST(Dialogue, TakesATokenInTheCommandItself) {
  Client client("office365");
  client.say("EHLO app.example.com");
  EXPECT_TRUE(client.say("AUTH XOAUTH2 dXNlcj1hbm5AZXhhbXBsZS5jb20BYXV0aD1CZWFyZXIgVDBLRU4BAQ==")
                  .starts_with("235 "));
}

TEST(Dialogue, GoogleAsksBehindATokenThatItRefuses) {
  const auto refused = [](sasl::Mechanism mechanism, std::string_view answer) {
    Client client("gmail");
    EXPECT_EQ(
        log_in_by_token(client, mechanism, "ann@example.com", "0THER"),
        "334 " + base64::encode(R"({"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"})") +
            "\r\n");
    const std::string reply = client.say(answer);
    EXPECT_TRUE(client.send().starts_with("530 "));
    return reply.substr(0, 9);
  };
  EXPECT_EQ(refused(sasl::Mechanism::xoauth2, ""), "535 5.7.8");
  EXPECT_EQ(refused(sasl::Mechanism::oauthbearer, "AQ=="), "535 5.7.8");
  EXPECT_EQ(refused(sasl::Mechanism::xoauth2, "AQ=="), "501 5.5.2");
  EXPECT_EQ(refused(sasl::Mechanism::oauthbearer, ""), "501 5.5.2");
  EXPECT_EQ(refused(sasl::Mechanism::oauthbearer, "*"), "501 5.7.0");
}

TEST(Dialogue, MicrosoftRefusesATokenAtOnce) {
  for (const char* const provider : {"office365", "office365-hve", "outlook-personal"}) {
    Client client(provider);
    EXPECT_EQ(log_in_by_token(client, sasl::Mechanism::xoauth2, "ann@example.com", "0THER"),
              "535 5.7.3 Authentication unsuccessful\r\n");
    EXPECT_TRUE(
        log_in_by_token(client, sasl::Mechanism::xoauth2, "ann@example.com", "T0KEN").starts_with("235 "));
  }
}

TEST(Dialogue, RefusesATokenOfAUserWhoCannotBeOneThere) {
  Client client("office365");
  EXPECT_TRUE(log_in_by_token(client, sasl::Mechanism::xoauth2, "ann", "T0KEN").starts_with("535 "));
}

TEST(Dialogue, ABadDayIsOneForTokensToo) {
  Client google("gmail", "refuse-password", 1);
  EXPECT_TRUE(
      log_in_by_token(google, sasl::Mechanism::xoauth2, "ann@example.com", "T0KEN").starts_with("334 ey"));
  EXPECT_TRUE(google.say("").starts_with("535 5.7.8"));
  Client hve("office365-hve", "token-ends-soon", 1);
  const auto say_token = [&hve] {
    return log_in_by_token(hve, sasl::Mechanism::xoauth2, "ann@example.com", "T0KEN");
  };
  EXPECT_EQ(say_token(), "501 5.5.127 Token will expire soon\r\n");
  EXPECT_TRUE(say_token().starts_with("235 "));
}

TEST(Dialogue, AnAccountWithoutATokenHasNone) {
  Part part{.provider = *providers::find("office365-hve"), .host = "h.example", .password = "right"};
  Dialogue dialogue(part, false);
  dialogue.read("EHLO a.example");
  for (const char* const token : {"", "right"})
    EXPECT_TRUE(dialogue
                    .read("AUTH XOAUTH2 " +
                          base64::encode(fmt::format("user=ann@example.com\1auth=Bearer {}\1\1", token)))
                    .text.starts_with("5"));
}

TEST(Dialogue, MisbehavesAtItsStage) {
  Client client("ses", "throttle");
  client.log_in("AKIAEXAMPLE", "right");
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(client.send(), "454 Throttling failure: Maximum sending rate exceeded.\r\n");
  EXPECT_EQ(client.next(), Next::line);
  EXPECT_TRUE(Client("gmail", "down").greeting().starts_with("421 4.7.0 Temporary System Problem"));
}

TEST(Dialogue, IsWellAfterTheLastTime) {
  Client client("ses", "throttle", 1);
  client.log_in("AKIAEXAMPLE", "right");
  EXPECT_TRUE(client.send().starts_with("454 "));
  EXPECT_EQ(client.send(), "250 Ok sandbox-000001\r\n");
}

TEST(Dialogue, EndsWithA421AndWhereItBreaksOff) {
  Client gmail("gmail", "throttle");
  gmail.log_in("app@example.com", "right");
  EXPECT_TRUE(gmail.send().starts_with("421 "));
  EXPECT_EQ(gmail.next(), Next::nothing);
  Client ses("ses", "break-off");
  ses.log_in("AKIAEXAMPLE", "right");
  EXPECT_EQ(ses.send(), "");
  EXPECT_EQ(ses.next(), Next::nothing);
}

TEST(Dialogue, KeepsToTheLimitsOfTheProvider) {
  Client client("scaleway");
  client.log_in("project", "right");
  client.say("MAIL FROM:<app@example.com>");
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(client.say("RCPT TO:<ann@example.net>").starts_with("250 "));
  EXPECT_EQ(client.say("RCPT TO:<bob@example.net>"), "452 4.5.3 Too many recipients\r\n");
  client.say("RSET");
  EXPECT_EQ(client.say("MAIL FROM:<app@example.com> SIZE=99999999"), "552 5.3.4 Message too big\r\n");
  EXPECT_EQ(client.send("cut", 99999999), "552 5.3.4 Message too big\r\n");
}

TEST(Dialogue, CountsRecipientsOverTheConnection) {
  Client client("cloudflare");
  client.log_in("api_token", "right");
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(client.send().starts_with("250 ")) << i;
  client.say("MAIL FROM:<app@example.com>");
  EXPECT_TRUE(
      client.say("RCPT TO:<bob@example.net>").starts_with("452 4.5.3 Too many recipients in this session"));
}

TEST(Dialogue, CountsMessagesOverTheConnection) {
  Client client("mailtrap");
  client.log_in("api", "right");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(client.send().starts_with("250 ")) << i;
  EXPECT_TRUE(client.send().starts_with("421 "));
}

TEST(Dialogue, RefusesTheNullSenderWhereTheProviderDoes) {
  Client client("ses");
  client.log_in("AKIAEXAMPLE", "right");
  EXPECT_EQ(client.say("MAIL FROM:<>"), "501 Invalid MAIL FROM address provided\r\n");
  Client gmail("gmail");
  gmail.log_in("app@example.com", "right");
  EXPECT_TRUE(gmail.say("MAIL FROM:<>").starts_with("250 "));
}

TEST(Dialogue, KeepsTheOrderOfCommands) {
  Client client("ses");
  EXPECT_TRUE(client.say("MAIL FROM:<app@example.com>").starts_with("503 "));
  client.log_in("AKIAEXAMPLE", "right");
  EXPECT_TRUE(client.say("RCPT TO:<ann@example.net>").starts_with("503 "));
  EXPECT_TRUE(client.say("DATA").starts_with("503 "));
  EXPECT_TRUE(client.say("STARTTLS").starts_with("503 "));
  EXPECT_TRUE(client.say("BDAT 3").starts_with("502 "));
  EXPECT_TRUE(client.say("QUIT").starts_with("221 "));
  EXPECT_EQ(client.next(), Next::nothing);
}

TEST(Dialogue, TakesNoPasswordInTheClear) {
  Part part{.provider = *providers::find("ses"), .host = "h.example", .password = "right"};
  Dialogue dialogue(part, true);
  EXPECT_NE(dialogue.read("EHLO a.example").text.find("STARTTLS\r\n"), std::string::npos);
  EXPECT_TRUE(dialogue.read("AUTH PLAIN AAAA").text.starts_with("530 "));
  EXPECT_TRUE(dialogue.read("MAIL FROM:<a@example.com>").text.starts_with("530 "));
  EXPECT_EQ(dialogue.read("STARTTLS").next, Next::handshake);
}

}  // namespace
}  // namespace relayd::fake
