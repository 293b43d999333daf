// What a transcript cannot say of the server session: what leaves in one write, answers that depend on what
// was heard, octets in one piece, and time. The rest is in dialogs/server.
#include "accept/session.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accept/session_fixture.hpp"
#include "shared/sasl/sasl.hpp"

namespace relayd::accept {
namespace {

using namespace std::chrono_literals;
using test::Cut;
using test::make_script;
using test::Script;
using test::SessionRun;
using test::Side;
using test::Step;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

constexpr const char* opening = R"(
  S: 220 ...
  C: EHLO client.example.org
  S: 250-mail.example.com
  S: 250-PIPELINING
  S: 250-SIZE 52428800
  S: 250-8BITMIME
  S: 250-SMTPUTF8
  S: 250-DSN
)";

Script script(const std::string& lines, const std::string& last_keyword = "S: 250 ENHANCEDSTATUSCODES\n") {
  return make_script(Side::client, opening + last_keyword + lines);
}

Step say(std::string octets) {
  return {Step::Kind::say, std::move(octets), {}, {}};
}
Step expect(std::string line) {
  return {Step::Kind::expect, std::move(line), {}, {}};
}

void append(Script& target, const Script& more) {
  target.insert(target.end(), more.begin(), more.end());
}

void expect_as_written(SessionRun& run) {
  run.run();
  EXPECT_EQ(run.peer.complaint(), "");
  EXPECT_TRUE(run.peer.finished()) << run.peer.position();
  EXPECT_TRUE(run.peer.closed());
}

// --- content ---

constexpr const char* up_to_data = R"(
  C: MAIL FROM:<ann@example.com>
  S: 250 2.1.0 ...
  C: RCPT TO:<bob@example.org>
  S: 250 2.1.5 ...
  C: DATA
  S: 354 ...
)";

Script message(const std::string& wire, const std::string& reply = "250 2.0.0 ...") {
  Script steps = script(up_to_data);
  steps.push_back(say(wire));
  append(steps, make_script(Side::client, "S: " + reply + "\n C: QUIT\n S: 221 2.0.0 Bye"));
  return steps;
}

// What is sent up to and with the final dot, and what the relay must keep of it, wherever it is cut.
void expect_content(const std::string& wire, const std::string& content) {
  const std::size_t before = SessionRun(script(up_to_data)).peer.script().size();
  std::size_t said = 0;
  for (const Step& step : script(up_to_data))
    if (step.kind == Step::Kind::say) said += step.text.size();
  for (std::size_t split = 0; split < wire.size() && !testing::Test::HasFailure(); ++split) {
    SCOPED_TRACE(testing::Message() << "split at " << split);
    SessionRun run(message(wire));
    run.peer.split = said + split;
    expect_as_written(run);
    ASSERT_THAT(run.intake.taken, SizeIs(1));
    EXPECT_EQ(run.intake.taken[0].content, content);
  }
  for (std::size_t octets = 0; octets < wire.size() && !testing::Test::HasFailure(); ++octets) {
    SCOPED_TRACE(testing::Message() << "cut at " << octets);
    SessionRun run(message(wire));
    run.peer.cut = Cut{before, octets, Cut::How::close};
    run.run();
    EXPECT_THAT(run.intake.taken, SizeIs(0));
  }
}

struct Smuggling {
  const char* wire;
  const char* content;
};
class SmugglingVector : public testing::TestWithParam<Smuggling> {};

// Whatever stands for the end of a message elsewhere: only CR LF . CR LF ends one (RFC 5321 4.1.1.4).
TEST_P(SmugglingVector, IsContentOfOneMessage) {
  const std::string commands = "MAIL FROM:<eve@example.com>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nfake\r\n";
  expect_content("x" + std::string(GetParam().wire) + commands + ".\r\n",
                 "x" + std::string(GetParam().content) + commands);
}

INSTANTIATE_TEST_SUITE_P(Session, SmugglingVector,
                         testing::Values(Smuggling{"\n.\n", "\r\n.\r\n"}, Smuggling{"\n.\r\n", "\r\n.\r\n"},
                                         Smuggling{"\r\n.\n", "\r\n\r\n"}, Smuggling{"\r.\r", "\r\n.\r\n"},
                                         Smuggling{"\r.\r\n", "\r\n.\r\n"}, Smuggling{"\r\n.\r", "\r\n\r\n"},
                                         Smuggling{"\n.\r", "\r\n.\r\n"}, Smuggling{"\r.\n", "\r\n.\r\n"}));

TEST(SessionContent, LosesOneLeadingDotAndNothingElse) {
  expect_content("..\r\n.\r\n", ".\r\n");
  expect_content("a\r\n..\r\n.\r\n", "a\r\n.\r\n");
  expect_content("a\r\n.b\r\n.\r\n", "a\r\nb\r\n");
  expect_content("a.\r\n...\r\n.\r\n", "a.\r\n..\r\n");
  expect_content(".\r\n", "");
  expect_content("\r\n.\r\n", "\r\n");
}

TEST(SessionContent, KeepsEveryOctetThatIsNeitherNewlineNorNul) {
  std::string all;
  for (int c = 1; c < 256; ++c)
    if (c != '\r' && c != '\n') all += static_cast<char>(c);
  SessionRun run(message("x" + all + "\r\n.\r\n"));
  expect_as_written(run);
  ASSERT_THAT(run.intake.taken, SizeIs(1));
  EXPECT_EQ(run.intake.taken[0].content, "x" + all + "\r\n");
}

TEST(SessionContent, RefusesANul) {
  using namespace std::string_literals;
  SessionRun run(message("Subject: x\r\n\r\na\0b\r\n.\r\n"s, "550 5.6.0 ..."));
  expect_as_written(run);
  EXPECT_THAT(run.intake.taken, SizeIs(0));
}

TEST(SessionContent, GoesOnToTheDraftAsItComes) {
  std::string large;
  while (large.size() < 300'000) large += "0123456789012345678901234567890123456789\r\n";
  SessionRun run(message(large + ".\r\n"));
  run.intake.flush_always = true;
  expect_as_written(run);
  ASSERT_THAT(run.intake.taken, SizeIs(1));
  EXPECT_EQ(run.intake.taken[0].content, large);
}

// --- groups and pieces ---

TEST(Session, AnswersAGroupInOneWrite) {
  SessionRun run(script(R"(
    C: MAIL FROM:<ann@example.com>
    C: RCPT TO:<bob@example.org>
    C: RCPT TO:<eve@example.org>
    C: DATA
    S: 250 2.1.0 Sender ok
    S: 250 2.1.5 Recipient ok
    S: 250 2.1.5 Recipient ok
    S: 354 ...
  )"));
  run.run();
  EXPECT_EQ(run.peer.complaint(), "");
  EXPECT_THAT(run.peer.writes().back(), StartsWith("250 2.1.0 Sender ok\r\n250 2.1.5 Recipient ok\r\n250"));
  EXPECT_THAT(run.peer.writes().back(), HasSubstr("\r\n354 "));
}

// CVE-2011-0411: what came in the clear must not be answered as if it had come through TLS.
TEST(Session, TakesNothingBehindStarttls) {
  SessionRun run(script("C: STARTTLS\n C: MAIL FROM:<eve@example.com>\n S: 554 5.5.0 ...",
                        "S: 250-ENHANCEDSTATUSCODES\n S: 250 STARTTLS\n"));
  run.listener.tls = config::TlsMode::starttls;
  expect_as_written(run);
}

TEST(Session, TakesNotEvenTheBeginningOfALineBehindStarttls) {
  SessionRun run(
      script("C: STARTTLS\n C: M\\\n S: 554 5.5.0 ...", "S: 250-ENHANCEDSTATUSCODES\n S: 250 STARTTLS\n"));
  run.listener.tls = config::TlsMode::starttls;
  expect_as_written(run);
}

TEST(Session, DropsALineThatIsLongerThanAnyCommand) {
  Script steps = script("");
  steps.push_back(say("AUTH PLAIN " + std::string(12'289, 'A') + "\r\n"));
  append(steps, make_script(Side::client, "S: 500 5.5.6 Line too long\n C: QUIT\n S: 221 2.0.0 Bye"));
  SessionRun run(steps);
  expect_as_written(run);
}

// --- SCRAM ---

// A client that logs in with SCRAM-SHA-256; it makes its messages from what the session says.
class Scram : public testing::Test {
 protected:
  Script steps(std::string_view password, const std::string& end) {
    client_ = std::make_unique<sasl::Client>(sasl::Mechanism::scram_sha_256,
                                             sasl::Credential{"ann", Secret(std::string(password))});
    Script all = script("", "S: 250-ENHANCEDSTATUSCODES\n S: 250 AUTH SCRAM-SHA-256 PLAIN LOGIN\n");
    all.push_back(say("AUTH SCRAM-SHA-256 " + *client_->step("") + "\r\n"));
    all.push_back(expect("334 ..."));
    all.push_back(answer());
    append(all, make_script(Side::client, end));
    for (Step& step : all)
      if (step.text == "the last word\r\n") step = answer();
    return all;
  }

  Step answer() {
    Step step = say("");
    step.answer = [this](std::string_view heard) {
      const Result<std::string> next = client_->step(heard.substr(4));
      return (next ? *next : "*") + "\r\n";
    };
    return step;
  }

  void log_in_allowed(SessionRun& run) {
    run.listener.auth = config::ListenerAuth::required;
    run.intake.passwords.emplace("ann", Secret("secret"));
  }

  std::unique_ptr<sasl::Client> client_;
};

TEST_F(Scram, LogsInAndProvesItself) {
  SessionRun run(steps("secret", R"(
    S: 334 ...
    C: the last word
    S: 235 2.7.0 ...
    C: MAIL FROM:<ann@example.com>
    S: 250 2.1.0 ...
    C: QUIT
    S: 221 2.0.0 Bye
  )"));
  log_in_allowed(run);
  expect_as_written(run);
  EXPECT_TRUE(client_->complete());
}

TEST_F(Scram, RefusesAWrongPassword) {
  SessionRun run(steps("wrong", R"(
    S: 535 5.7.8 ...
    C: MAIL FROM:<ann@example.com>
    S: 530 5.7.0 ...
    C: QUIT
    S: 221 2.0.0 Bye
  )"));
  log_in_allowed(run);
  expect_as_written(run);
}

TEST_F(Scram, IsCancelledBeforeItsLastMessage) {
  SessionRun run(steps("secret", R"(
    S: 334 ...
    C: *
    S: 501 5.7.0 ...
    C: MAIL FROM:<ann@example.com>
    S: 530 5.7.0 ...
    C: QUIT
    S: 221 2.0.0 Bye
  )"));
  log_in_allowed(run);
  expect_as_written(run);
}

// --- time ---

TEST(Session, LeavesAnIdleClientAtTheDeadline) {
  SessionRun run(script("PAUSE 301s"));
  const SteadyTime start = run.loop.now();
  run.run();
  EXPECT_EQ(run.loop.now() - start, 300s);
  EXPECT_TRUE(run.peer.closed());
}

// The deadline is that of the command, not of its next octet.
TEST(Session, LeavesAClientThatTricklesACommand) {
  std::string trickle;
  for (int i = 0; i < 60; ++i) trickle += "C: x\\\n PAUSE 10s\n";
  SessionRun run(script(trickle));
  const SteadyTime start = run.loop.now();
  run.run();
  EXPECT_EQ(run.loop.now() - start, 300s);
  EXPECT_TRUE(run.peer.closed());
}

TEST(Session, LeavesAClientThatTricklesRecipients) {
  std::string trickle = "C: MAIL FROM:<ann@example.com>\n S: 250 2.1.0 ...\n";
  for (int i = 0; i < 20; ++i) trickle += "PAUSE 290s\n C: RCPT TO:<bob@example.org>\n S: 250 2.1.5 ...\n";
  SessionRun run(script(trickle));
  const SteadyTime start = run.loop.now();
  run.run();
  EXPECT_EQ(run.loop.now() - start, 1h);
  EXPECT_TRUE(run.peer.closed());
}

TEST(Session, LeavesAClientThatTricklesAMessage) {
  std::string trickle;
  for (int i = 0; i < 30; ++i) trickle += "C: x\\\n PAUSE 30s\n";
  SessionRun run(script(up_to_data + trickle));
  const SteadyTime start = run.loop.now();
  run.run();
  EXPECT_EQ(run.loop.now() - start, 180s);  // and not the 600 of limits.data_timeout
  EXPECT_TRUE(run.peer.closed());
  EXPECT_THAT(run.intake.taken, SizeIs(0));
}

TEST(Session, EndsAtOnceWhenItIsAborted) {
  SessionRun run(script(std::string(up_to_data) + "C: half a message\n DO abort\n PAUSE 1h"));
  const SteadyTime start = run.loop.now();
  run.run();
  EXPECT_EQ(run.loop.now(), start);
  EXPECT_THAT(run.intake.taken, SizeIs(0));
}

// The stop comes while a reply is still on its way out: there is no read yet that could be interrupted.
TEST(Session, ShutsDownWhileItWrites) {
  SessionRun run(script("S: 421 4.3.2 relayd is shutting down"));
  run.peer.on_write = [&run](std::string_view bytes) {
    if (bytes.starts_with("250-mail.example.com")) run.session->shut_down();
  };
  const SteadyTime start = run.loop.now();
  expect_as_written(run);
  EXPECT_EQ(run.loop.now(), start);
}

}  // namespace
}  // namespace relayd::accept
