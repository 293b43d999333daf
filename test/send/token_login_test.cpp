// What a transcript cannot say of logins with access tokens: lines that are long, what is asked of those who
// keep the tokens, and logins that end with their token.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "send/client_fixture.hpp"
#include "send/smtp_transport.hpp"

namespace relayd::send {
namespace {

using test::ClientRun;
using test::drive;
using testing::ElementsAre;
using testing::HasSubstr;

test::Script script(const std::string& lines) {
  return test::make_script(test::Side::server, lines);
}

void expect_as_written(ClientRun& run) {
  run.run();
  EXPECT_EQ(run.peer.complaint(), "");
  EXPECT_TRUE(run.peer.finished()) << run.peer.position();
  EXPECT_TRUE(run.peer.closed());
}

async::Task<std::optional<Event>> open(SmtpTransport& transport) {
  std::optional<Event> failed = co_await transport.open();
  if (!failed) co_await transport.close();
  co_return failed;
}

constexpr const char* token_offered = R"(
  S: 220 smtp.example.net ESMTP
  C: EHLO relay.example.com
  S: 250-smtp.example.net
  S: 250 AUTH XOAUTH2
)";
constexpr const char* taken_token = "C: AUTH XOAUTH2\n S: 334\n C: ...\n S: 235 Welcome\n";

TEST(TokenLogin, NoLineBeforeTheChallengeHoldsAToken) {
  ClientRun run(script(std::string(token_offered) + taken_token + "C: QUIT\n S: 221 Bye"));
  run.target.clear_password_allowed = true;
  run.log_in_with("ann@example.com", {std::string(3000, 'a')});
  expect_as_written(run);
  EXPECT_EQ(run.peer.writes().at(1), "AUTH XOAUTH2\r\n");
  EXPECT_GT(run.peer.writes().at(2).size(), 4000U);
}

TEST(TokenLogin, WithoutATokenNobodyLogsIn) {
  for (const bool temporary : {false, true}) {
    ClientRun run(script(std::string(token_offered) + "C: QUIT\n S: 221 Bye"));
    run.target.clear_password_allowed = true;
    run.log_in_with("ann@example.com", {"T0KEN"});
    run.tokens.why = NoToken{"the token server is down", temporary, std::chrono::seconds(70)};
    expect_as_written(run);
    EXPECT_THAT(run.events, ElementsAre(temporary ? "open: auth no_token" : "open: auth no_password"));
    EXPECT_EQ(run.refused->text, "the token server is down");
    EXPECT_EQ(run.refused->wait, std::chrono::seconds(temporary ? 70 : 0));  // it may be mended any moment
  }
}

TEST(TokenLogin, ALoginThatEndsInTheRefusalOfATokenAsksForOneOtherAlone) {
  ClientRun run(script(std::string(token_offered) + R"(
    C: AUTH XOAUTH2
    S: 334
    C: ...
    S: 535 5.7.3 No
    C: QUIT
    S: 221 Bye
  )"));
  run.target.clear_password_allowed = true;
  run.log_in_with("ann@example.com", {"T0KEN"});
  expect_as_written(run);
  EXPECT_THAT(run.tokens.asked, ElementsAre("ann@example.com", "ann@example.com refused 1"));
}

// The refusal of one token is the last thing that some servers say.
TEST(TokenLogin, AnotherTokenMayNeedAnotherConnection) {
  ClientRun run(script("S: unused"));
  std::vector<std::unique_ptr<test::ScriptedPeer>> peers;
  const std::string first = "C: AUTH XOAUTH2\n S: 334\n C: ...\n S: 535 5.7.3 No\n C: AUTH XOAUTH2\n CLOSE";
  for (const std::string& lines : {first, std::string(taken_token) + "C: QUIT\n S: 221 Bye"})
    peers.push_back(std::make_unique<test::ScriptedPeer>(run.loop, script(token_offered + lines)));
  std::size_t dialled = 0;
  test::ScriptedDialer dialer(run.loop, [&](const std::string&, std::uint16_t) -> test::ScriptedPeer& {
    return *peers.at(dialled++);
  });
  run.target.clear_password_allowed = true;
  run.log_in_with("ann@example.com", {"OLD", "NEW"});
  SmtpTransport transport(run.loop, run.workers, dialer, run.target, [&run] { return run.fetch(); });
  const std::optional<Event> event = drive(run.loop, open(transport));
  EXPECT_FALSE(event) << test::shown(*event);
  EXPECT_EQ(dialled, 2U);
  EXPECT_THAT(run.tokens.asked, ElementsAre("ann@example.com", "ann@example.com refused 1"));
}

// An answer that may be 100 kB, and no base64.
TEST(TokenLogin, OfARefusalOfAnyLengthAFewOctetsAreTold) {
  ClientRun run(script(std::string(token_offered) + R"(
    C: AUTH XOAUTH2
    S: 334
    C: ...
    S: 334 {!*100000}
    C:
    S: 535 5.7.8 No
    C: QUIT
    S: 221 Bye
  )"));
  run.target.clear_password_allowed = true;
  run.log_in_with("ann@example.com", {"T0KEN"});
  expect_as_written(run);
  EXPECT_LT(run.refused->reply.text.size(), 600U);
  EXPECT_THAT(run.refused->reply.text, HasSubstr("No\n!!!"));
}

// What a server says at MAIL once the token of the login has ended.
struct EndedToken {
  EndedToken(const std::string& reply, bool ended, bool second)
      : run(script(std::string(token_offered) + taken_token + (second ? first_mail : "") +
                   "C: MAIL FROM:<ann@example.com>\n S: " + reply + "\n" +
                   (ended && second ? "C: QUIT\n S: 221 Bye" : "C: ...\n S: 221 Bye"))) {
    run.target.clear_password_allowed = true;
    run.log_in_with("ann@example.com", {"T0KEN"});
    const SteadyTime now = run.loop.now();
    run.tokens.until = ended ? now : now + std::chrono::hours(1);
    for (int i = 0; i < (second ? 2 : 1); ++i)
      run.add_mail(test::make_envelope("ann@example.com", {"bob@example.org"}), "text\r\n");
    run.run();
  }
  bool untried() const { return run.sent.back().report.untried; }

  static constexpr const char* first_mail = R"(
    C: MAIL FROM:<ann@example.com>
    S: 250 Ok
    C: RCPT TO:<bob@example.org>
    S: 250 Ok
    C: DATA
    S: 354 Go ahead
    C: text
    C: .
    S: 250 Ok
)";
  ClientRun run;
};

TEST(TokenLogin, AnEndedTokenIsNotTheMessagesTrouble) {
  for (const char* reply : {"530 5.7.0 Log in", "535 5.7.3 Ended", "454 4.7.0 Temporary"}) {
    EXPECT_TRUE(EndedToken(reply, true, true).untried()) << reply;
    EXPECT_FALSE(EndedToken(reply, true, false).untried()) << reply << " at the first message";
  }
  for (const char* reply : {"535 5.7.3 Ended", "454 4.7.0 Temporary"})
    EXPECT_FALSE(EndedToken(reply, false, true).untried()) << reply << " while it holds";
  EXPECT_FALSE(EndedToken("451 4.3.0 Later", true, true).untried());
}

}  // namespace
}  // namespace relayd::send
