// What a transcript cannot say of the SMTP client: answers that depend on what was heard, what leaves in one
// write, octets in one piece, large messages, and ends that come from our side. The rest is in
// dialogs/client.
#include "send/smtp_transport.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "send/client_fixture.hpp"
#include "shared/sasl/sasl.hpp"
#include "shared/smtp/data.hpp"

namespace relayd::send {
namespace {

using async::IoError;
using async::IoFault;
using smtp::Trouble;
using test::ClientRun;
using test::Cut;
using test::make_envelope;
using test::make_script;
using test::Script;
using test::Side;
using test::Step;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* opening = R"(
  S: 220 smtp.example.net ESMTP
  C: EHLO relay.example.com
  S: 250 smtp.example.net
)";

constexpr const char* up_to_data = R"(
  C: MAIL FROM:<ann@example.com>
  S: 250 Ok
  C: RCPT TO:<bob@example.org>
  S: 250 Ok
  C: DATA
  S: 354 Go ahead
)";

Script script(const std::string& lines) {
  return make_script(Side::server, lines);
}

void add_mail(ClientRun& run, const std::string& content) {
  run.add_mail(make_envelope("ann@example.com", {"bob@example.org"}), content);
}

void expect_as_written(ClientRun& run) {
  run.run();
  EXPECT_EQ(run.peer.complaint(), "");
  EXPECT_TRUE(run.peer.finished()) << run.peer.position();
  EXPECT_TRUE(run.peer.closed());
}

// --- SCRAM ---

// A server that knows ann's password, and makes its messages from what the client says.
class ScramServer : public testing::Test {
 protected:
  Script steps(const std::string& end) {
    Script all = script(R"(
      S: 220 smtp.example.net ESMTP
      C: EHLO relay.example.com
      S: 250-smtp.example.net
      S: 250 AUTH PLAIN SCRAM-SHA-256
      C: AUTH SCRAM-SHA-256 ...
      S: challenge
      C: ...
    )");
    for (const Step& step : script(end)) all.push_back(step);
    for (Step& step : all)
      if (step.text == "challenge\r\n")
        step.answer = [this](std::string_view heard) { return challenge(heard); };
    return all;
  }

  std::string challenge(std::string_view heard) {
    constexpr std::string_view command = "AUTH SCRAM-SHA-256 ";
    const bool first = heard.starts_with(command);
    const auto step = first ? server_.begin(std::string(heard.substr(command.size()))) : server_.step(heard);
    return "334 " + step.text + "\r\n";
  }

  sasl::Server server_{sasl::Mechanism::scram_sha_256, [](std::string_view name) {
                         return name == "ann" ? std::optional(Secret("secret")) : std::nullopt;
                       }};
};

void log_in(ClientRun& run, const std::string& password = "secret") {
  run.target.login = true;
  run.target.clear_password_allowed = true;
  run.credential = send::Credential{"ann", {{Secret(password)}}};
}

TEST_F(ScramServer, IsPreferredAndProvesItself) {
  ClientRun run(steps("S: challenge\n C:\n S: 235 Welcome\n C: QUIT\n S: 221 Bye"));
  log_in(run);
  expect_as_written(run);
  EXPECT_THAT(run.events, IsEmpty());
  EXPECT_THAT(run.peer.written(), Not(HasSubstr("secret")));
}

TEST_F(ScramServer, IsNotTrustedWithoutItsSignature) {
  ClientRun run(steps("S: 235 Welcome\n C: QUIT\n S: 221 Bye"));
  log_in(run);
  expect_as_written(run);
  EXPECT_THAT(run.events, ElementsAre("open: auth no_mechanism"));
}

// base64 of "v=" and 32 octets of zero
TEST_F(ScramServer, IsNotTrustedWithAWrongSignature) {
  ClientRun run(steps(R"(
    S: 334 dj1BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE9
    C: *
    S: 501 Cancelled
    C: QUIT
    S: 221 Bye
  )"));
  log_in(run);
  expect_as_written(run);
  EXPECT_THAT(run.events, ElementsAre("open: auth no_mechanism"));
}

TEST_F(ScramServer, RefusesAWrongPassword) {
  ClientRun run(steps("S: 535 5.7.8 No\n C: QUIT\n S: 221 Bye"));
  log_in(run, "wrong");
  expect_as_written(run);
  EXPECT_THAT(run.events, ElementsAre("open: auth 535 5.7.8 No"));
}

// --- opening ---

TEST(SmtpTransport, SaysWhyNobodyWasReached) {
  for (const IoFault fault :
       {IoFault::refused, IoFault::resolve, IoFault::unreachable, IoFault::timed_out, IoFault::reset}) {
    ClientRun run(script(opening));
    test::ScriptedDialer dialer(run.loop, [fault](const std::string&, std::uint16_t) -> test::ScriptedPeer& {
      throw IoError(fault, "nobody there");
    });
    SmtpTransport transport(run.loop, run.workers, dialer, run.target, nullptr);
    const std::optional<Event> event = drive(run.loop, transport.open());
    ASSERT_TRUE(event);
    EXPECT_EQ(test::shown(*event), "connect unreachable");
    EXPECT_EQ(event->text, "nobody there");
    EXPECT_FALSE(transport.usable());
    EXPECT_EQ(transport.describe().host, "");
  }
}

TEST(SmtpTransport, DialsWhatItWasTold) {
  ClientRun run(script(std::string(opening) + "C: QUIT\n S: 221 Bye"));
  run.target.port = 2525;
  run.target.tls.name = "smtp.example.net";
  run.target.tls.ca_file = "ca.pem";
  expect_as_written(run);
  EXPECT_THAT(run.dialer.ports, ElementsAre(2525));
  EXPECT_EQ(run.dialer.policies.at(0), run.target.tls);
}

TEST(SmtpTransport, HasNothingToSayAfterAFailedHandshake) {
  ClientRun run(script("TLS\n" + std::string(opening)));
  run.target.tls_mode = TlsMode::implicit;
  run.peer.cut = Cut{0, 0, Cut::How::close};
  run.run();
  EXPECT_THAT(run.events, ElementsAre("open: starttls tls"));
  EXPECT_THAT(run.peer.writes(), IsEmpty());
}

// CVE-2021-38371: what came in the clear must not be read as if it had come through TLS.
TEST(SmtpTransport, TrustsNothingBetween220AndTheHandshake) {
  for (const std::string injected : {"S: 250-evil", "S: 2\\"}) {
    ClientRun run(script(R"(
      S: 220 smtp.example.net ESMTP
      C: EHLO relay.example.com
      S: 250-smtp.example.net
      S: 250 STARTTLS
      C: STARTTLS
      S: 220 Go ahead
    )" + injected));
    run.target.tls_mode = TlsMode::starttls;
    expect_as_written(run);
    EXPECT_THAT(run.events, ElementsAre("open: starttls tls"));
  }
}

TEST(SmtpTransport, WithoutAPasswordNobodyLogsIn) {
  ClientRun run(script(R"(
    S: 220 smtp.example.net ESMTP
    C: EHLO relay.example.com
    S: 250-smtp.example.net
    S: 250 AUTH PLAIN
    C: QUIT
    S: 221 Bye
  )"));
  log_in(run);
  run.credential = Error{"the file is gone"};
  expect_as_written(run);
  EXPECT_THAT(run.events, ElementsAre("open: auth no_password"));
  EXPECT_EQ(run.refused->text, "the file is gone");
}

// --- the next password ---

constexpr const char* login_offered = R"(
  S: 220 smtp.example.net ESMTP
  C: EHLO relay.example.com
  S: 250-smtp.example.net
  S: 250 AUTH PLAIN
)";
constexpr const char* with_old = "C: AUTH PLAIN AGFubgBvbGQ=\n";  // ann, old
constexpr const char* with_new = "C: AUTH PLAIN AGFubgBuZXc=\n";  // ann, new
constexpr const char* good_bye = "C: QUIT\n S: 221 Bye\n";

// Opens a connection after the other, as a server and two passwords make it necessary.
struct TwoPasswords {
  explicit TwoPasswords(const std::vector<std::string>& scripts, BlamesPassword blames = {})
      : run(script("S: unused")) {
    for (const std::string& lines : scripts)
      peers.push_back(std::make_unique<test::ScriptedPeer>(run.loop, script(login_offered + lines)));
    log_in(run);
    run.credential = Credential{"ann", {{Secret("old")}, {Secret("new"), true}}};
    run.target.blames_password = std::move(blames);
    SmtpTransport transport(
        run.loop, run.workers, dialer, run.target,
        [this] {
          ++fetched;
          return run.fetch();
        },
        [this](const Password& password) { taken = password.next ? "the next" : "the first"; });
    event = drive(run.loop, open(transport));
    for (const auto& peer : peers) EXPECT_EQ(peer->complaint(), "");
    for (const auto& peer : peers) EXPECT_TRUE(peer->closed());
  }
  static async::Task<std::optional<Event>> open(SmtpTransport& transport) {
    std::optional<Event> failed = co_await transport.open();
    if (!failed) co_await transport.close();
    co_return failed;
  }

  ClientRun run;
  std::vector<std::unique_ptr<test::ScriptedPeer>> peers;
  std::size_t dialled = 0;
  test::ScriptedDialer dialer{run.loop, [this](const std::string&, std::uint16_t) -> test::ScriptedPeer& {
                                if (dialled == peers.size()) throw IoError(IoFault::refused, "nobody there");
                                return *peers[dialled++];
                              }};
  std::optional<Event> event;
  std::string taken;
  int fetched = 0;
};

TEST(SmtpTransport, TriesTheNextPasswordOnTheSameConnection) {
  const TwoPasswords login(
      {std::string(with_old) + "S: 535 5.7.8 No\n" + with_new + "S: 235 Ok\n" + good_bye});
  EXPECT_FALSE(login.event);
  EXPECT_EQ(login.taken, "the next");
}

TEST(SmtpTransport, TriesTheNextPasswordOnANewConnectionWhereTheServerHangsUp) {
  const std::string refused = std::string(with_old) + "S: 535 5.7.8 No\n";
  for (const std::string& end : {refused + "CLOSE", refused + "RESET", refused + with_new + "CLOSE",
                                 refused + with_new + "S: 421 4.7.0 Too many failures\n CLOSE"}) {
    SCOPED_TRACE(end);
    const TwoPasswords login({end, std::string(with_new) + "S: 235 Ok\n" + good_bye});
    EXPECT_FALSE(login.event);
    EXPECT_EQ(login.taken, "the next");
    EXPECT_EQ(login.fetched, 1);
  }
}

TEST(SmtpTransport, ReportsTheRefusalOfTheNextPasswordToo) {
  const TwoPasswords login({std::string(with_old) + "S: 535 5.7.8 No\n CLOSE",
                            std::string(with_new) + "S: 535 5.7.8 Neither\n CLOSE"});
  ASSERT_TRUE(login.event);
  EXPECT_EQ(test::shown(*login.event), "auth 535 5.7.8 Neither");
}

// Mailtrap says 535 of connections, too: the next password would be refused as well, and counted as a wrong
// one.
TEST(SmtpTransport, TriesTheNextPasswordOnlyWhereThePasswordIsToBlame) {
  const auto blames = [](const smtp::Reply& reply) { return reply.text != "Too many connections"; };
  const std::string busy = std::string(with_old) + "S: 535 5.7.8 Too many connections\n" + good_bye;
  const TwoPasswords kept({busy}, blames);
  ASSERT_TRUE(kept.event);
  EXPECT_EQ(test::shown(*kept.event), "auth 535 5.7.8 Too many connections");
  const TwoPasswords changed(
      {std::string(with_old) + "S: 535 5.7.8 No\n" + with_new + "S: 235 Ok\n" + good_bye}, blames);
  EXPECT_FALSE(changed.event);
}

// Only a refusal is about the password.
TEST(SmtpTransport, AServerThatLeavesBeforeItsAnswerHasRefusedNothing) {
  const TwoPasswords login({std::string(with_old) + "CLOSE"});
  ASSERT_TRUE(login.event);
  EXPECT_EQ(test::shown(*login.event), "auth broken");
  EXPECT_EQ(login.dialled, 1u);
}

TEST(SmtpTransport, GivesUpOnAnEndlessReply) {
  ClientRun run(script("S: 220-{x*300000}"));
  run.run();
  EXPECT_THAT(run.events, ElementsAre("open: greeting malformed"));
  std::string lines = "S: ";
  for (int i = 0; i < 600; ++i) lines += "220-\\r\\n";
  ClientRun many(script(lines));
  many.run();
  EXPECT_THAT(many.events, ElementsAre("open: greeting malformed"));
}

TEST(SmtpTransport, AnswersOnlySoManyChallenges) {
  std::string flood;
  for (int i = 0; i < 20; ++i) flood += "S: 334 YQ==\n C: ...\n";
  ClientRun run(script(R"(
    S: 220 smtp.example.net ESMTP
    C: EHLO relay.example.com
    S: 250-smtp.example.net
    S: 250 AUTH LOGIN
    C: AUTH LOGIN
  )" + flood));
  log_in(run);
  run.run();
  EXPECT_THAT(run.events, ElementsAre("open: auth no_mechanism"));
  EXPECT_EQ(run.peer.writes().at(4), "*\r\n");
}

// --- content ---

// Sends a message and returns what was on the wire between 354 and the end.
std::string wire(const std::string& content, std::size_t piece) {
  Script steps = script(std::string(opening) + up_to_data);
  ClientRun run(steps);
  add_mail(run, content);
  run.set_piece(piece);
  run.peer.cut = Cut{steps.size(), 0, Cut::How::silent};
  run.run();
  const std::string all = run.peer.written();
  return all.substr(all.find("DATA\r\n") + 6);
}

TEST(SmtpTransport, SendsDotsAndLineEndsWhereverPiecesAreCut) {
  const std::string content = ".\r\n..\r\n\r\n.a\r\nb.\r\n";
  const std::string stuffed = "..\r\n...\r\n\r\n..a\r\nb.\r\n.\r\n";
  for (std::size_t piece = 1; piece <= content.size(); ++piece) EXPECT_EQ(wire(content, piece), stuffed);
}

TEST(SmtpTransport, EndsTheLastLineOfAMessageThatDoesNot) {
  EXPECT_EQ(wire("text", 100), "text\r\n.\r\n");
  EXPECT_EQ(wire("", 100), ".\r\n");
}

TEST(SmtpTransport, SendsALargeMessageWhole) {
  std::string content;
  for (int i = 0; content.size() < 1'000'000; ++i) content += fmt::format(".{} a line of text\r\n", i);
  smtp::DataDecoder decoder;
  std::string decoded;
  const std::string bytes = wire(content, 256 * 1024);
  EXPECT_EQ(decoder.feed(bytes, decoded), bytes.size());
  EXPECT_TRUE(decoder.done());
  EXPECT_EQ(decoded, content);
}

TEST(SmtpTransport, SendsTheLastContentWithTheDot) {
  ClientRun run(
      script(std::string(opening) + up_to_data + "C: text\n C: .\n S: 250 Ok\n C: QUIT\n S: 221 Bye"));
  add_mail(run, "text\r\n");
  expect_as_written(run);
  EXPECT_THAT(run.peer.writes(), testing::Contains("text\r\n.\r\n"));
}

TEST(SmtpTransport, SendsNoDotWhenTheMessageCannotBeRead) {
  ClientRun run(script(std::string(opening) + up_to_data));
  add_mail(run, "text\r\n");
  run.set_unreadable();
  run.run();
  EXPECT_THAT(run.events, ElementsAre("bob@example.org: data cancelled"));
  EXPECT_THAT(run.peer.written(), EndsWith("DATA\r\n"));
  EXPECT_TRUE(run.peer.closed());
}

// --- connections that end ---

TEST(SmtpTransport, AWarmConnectionThatIsGoneAtMailWasNoAttempt) {
  const std::string first = std::string(opening) + up_to_data + "C: text\n C: .\n S: 250 Ok\n";
  for (const char* end : {"CLOSE", "RESET", "S: 421 4.4.2 Timeout\n CLOSE"}) {
    ClientRun run(script(first + "C: MAIL FROM:<ann@example.com>\n" + end));
    add_mail(run, "text\r\n");
    add_mail(run, "text\r\n");
    run.run();
    ASSERT_EQ(run.sent.size(), 2U);
    EXPECT_FALSE(run.sent[0].report.untried);
    EXPECT_TRUE(run.sent[1].report.untried) << end;
    EXPECT_FALSE(run.transport->usable());
  }
}

TEST(SmtpTransport, ANewConnectionThatIsGoneAtMailWasOne) {
  ClientRun run(script(std::string(opening) + "C: MAIL FROM:<ann@example.com>\n CLOSE"));
  add_mail(run, "text\r\n");
  run.run();
  EXPECT_FALSE(run.sent.at(0).report.untried);
}

TEST(SmtpTransport, AWarmConnectionThatIsGoneAtRcptWasOneToo) {
  ClientRun run(script(std::string(opening) + up_to_data + R"(
    C: text
    C: .
    S: 250 Ok
    C: MAIL FROM:<ann@example.com>
    S: 250 Ok
    C: RCPT TO:<bob@example.org>
    CLOSE
  )"));
  add_mail(run, "text\r\n");
  add_mail(run, "text\r\n");
  run.run();
  EXPECT_FALSE(run.sent.at(1).report.untried);
}

// The next answer would be taken for another command's.
TEST(SmtpTransport, LeavesAServerThatAnswersTooOften) {
  ClientRun run(script(std::string(opening) + up_to_data +
                       "C: text\n C: .\n S: 250 Ok\n S: 250 Ok again\n C: QUIT\n S: 221 Bye"));
  add_mail(run, "text\r\n");
  add_mail(run, "another\r\n");
  run.run();
  EXPECT_EQ(run.peer.complaint(), "");
  EXPECT_THAT(run.events, ElementsAre("bob@example.org: final_dot 250 Ok"));
}

TEST(SmtpTransport, AbortedItReportsWhatItWasAt) {
  const std::string before = std::string(opening) + "C: MAIL FROM:<ann@example.com>\n";
  ClientRun run(script(before + "DO abort\n PAUSE 1h"));
  add_mail(run, "text\r\n");
  run.run();
  EXPECT_THAT(run.events, ElementsAre("bob@example.org: mail cancelled"));
  EXPECT_THAT(run.peer.written(), Not(HasSubstr("QUIT")));
}

TEST(SmtpTransport, AbortedAfterTheDotItIsInDoubt) {
  ClientRun run(script(std::string(opening) + up_to_data + "C: text\n C: .\n DO abort\n PAUSE 1h"));
  add_mail(run, "text\r\n");
  run.run();
  EXPECT_THAT(run.events, ElementsAre("bob@example.org: final_dot cancelled"));
}

TEST(SmtpTransport, AbortedWhileItOpensItOpensNoMore) {
  ClientRun run(script(std::string("DO abort\n PAUSE 1h\n") + opening));
  run.run();
  EXPECT_THAT(run.events, ElementsAre("open: greeting cancelled"));
}

}  // namespace
}  // namespace relayd::send
