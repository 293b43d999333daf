// Clients that are no mail programs, or hostile ones: who talks out of turn, who guesses, who wastes time.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "accept/derivations.hpp"
#include "accept/session_fixture.hpp"

namespace relayd::accept {
namespace {

using namespace std::chrono_literals;
using test::make_script;
using test::Script;
using test::SessionRun;
using test::Side;
using test::Step;

Script client(const std::string& lines) {
  return make_script(Side::client, lines);
}

void say(Script& script, std::string octets) {
  script.push_back({Step::Kind::say, std::move(octets), {}, {}});
}
void expect(Script& script, std::string line) {
  script.push_back({Step::Kind::expect, std::move(line), {}, {}});
}

void expect_as_written(SessionRun& run) {
  run.run();
  EXPECT_EQ(run.peer.complaint(), "");
  EXPECT_TRUE(run.peer.finished()) << run.peer.position();
  EXPECT_TRUE(run.peer.closed());
}

// Its record has no CR LF for which one could wait.
TEST(SessionAbuse, ATlsHandshakeInTheClearEndsItAtOnce) {
  Script script = client("S: 220 ...");
  say(script, std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc", 9));
  expect(script, "421 4.7.0 ...");
  SessionRun run(script);
  const SteadyTime start = run.loop.now();
  expect_as_written(run);
  EXPECT_EQ(run.loop.now(), start);
}

TEST(SessionAbuse, WhoTalksBeforeTheGreetingIsNotListenedTo) {
  SessionRun stranger(client("S: 554 5.5.0 Wait for the greeting"));
  stranger.peer.talks_early = true;
  stranger.peer.address = "192.0.2.7";
  expect_as_written(stranger);

  SessionRun script_here(client("S: 220 ...\n C: QUIT\n S: 221 2.0.0 Bye"));
  script_here.peer.talks_early = true;
  expect_as_written(script_here);
}

// It would be content had DATA been taken; that it was refused makes no commands of it.
TEST(SessionAbuse, ContentBehindDataIsNotReadAsCommands) {
  const std::string greeting = "S: 220 ...\n C: HELO client.example.org\n S: 250 ...\n";
  const std::string sender = "C: MAIL FROM:<ann@example.com>\n S: 250 2.1.0 ...\n";
  const std::string recipient = "C: RCPT TO:<bob@example.org>\n S: 250 2.1.5 ...\n";
  for (const std::string& opening : {greeting, greeting + sender, greeting + sender + recipient}) {
    Script script = client(opening);
    say(script, "DATA\r\nRSET\r\nMAIL FROM:<eve@example.net>\r\n.\r\n");
    expect(script, "554 5.5.0 ...");
    SessionRun run(script);
    expect_as_written(run);
    EXPECT_TRUE(run.intake.taken.empty());
  }
}

TEST(SessionAbuse, AChunkIsNotReadAsCommands) {
  Script script = client("S: 220 ...\n C: HELO client.example.org\n S: 250 ...\n");
  say(script, "BDAT 30\r\nMAIL FROM:<eve@example.net>\r\n");
  expect(script, "502 5.5.1 ...");
  expect(script, "421 4.7.0 ...");
  SessionRun run(script);
  expect_as_written(run);
}

TEST(SessionAbuse, TheHeaderOfAProxyEndsItAtOnce) {
  Script script = client("S: 220 ...");
  say(script, std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", 16));
  expect(script, "421 4.7.0 ...");
  SessionRun run(script);
  expect_as_written(run);
}

TEST(SessionAbuse, RecipientsOverTheLimitAreNotForgivenForEver) {
  std::string lines =
      "S: 220 ...\n C: HELO client.example.org\n S: 250 ...\n C: MAIL FROM:<ann@example.com>\n";
  lines += "S: 250 2.1.0 ...\n C: RCPT TO:<bob@example.org>\n S: 250 2.1.5 ...\n";
  for (int i = 0; i < 1020; ++i) lines += "C: RCPT TO:<bob@example.org>\n S: 452 4.5.3 ...\n";
  SessionRun run(client(lines + "S: 421 4.7.0 Too many errors\n"));
  run.config->limits.recipients = 1;
  expect_as_written(run);
}

TEST(SessionAbuse, HundredIdleCommandsAreEnough) {
  std::string lines = "S: 220 ...\n";
  for (int i = 0; i < 119; ++i) lines += "C: NOOP\n S: 250 2.0.0 Ok\n";
  SessionRun run(client(lines + "C: NOOP\n S: 250 2.0.0 Ok\n S: 421 4.7.0 Too many errors\n"));
  expect_as_written(run);
}

// --- guessing ---

std::string guesses(int count, const std::string& more = "") {
  std::string lines =
      "S: 220 ...\n C: EHLO client.example.org\n S: 250-mail.example.com\n S: 250-PIPELINING\n"
      "S: 250-SIZE 52428800\n S: 250-8BITMIME\n S: 250-SMTPUTF8\n S: 250-DSN\n"
      "S: 250-ENHANCEDSTATUSCODES\n" +
      more + "S: 250 AUTH SCRAM-SHA-256 PLAIN LOGIN\n";
  for (int i = 0; i < count; ++i) lines += "C: AUTH PLAIN AGFubgB3cm9uZw==\n S: 535 5.7.8 ...\n";
  return lines;
}

TEST(SessionAbuse, EachWrongPasswordWaitsLonger) {
  SessionRun run(client(guesses(3) + "C: QUIT\n S: 221 2.0.0 Bye"));
  run.listener.auth = config::ListenerAuth::required;
  const SteadyTime start = run.loop.now();
  expect_as_written(run);
  EXPECT_EQ(run.loop.now() - start, 7s);
}

// A login of ann's with the right password, from that address, after failures of another's; what answers it.
void demand_reply_after_failures(const std::string& address, const std::string& of,
                                 const std::string& reply) {
  const bool goes_on = reply[0] == '2';
  const std::string end = goes_on ? "\n C: QUIT\n S: 221 2.0.0 Bye" : "";
  Script script = client("TLS\n" + guesses(0, "S: 250-REQUIRETLS\n") +
                         "C: AUTH PLAIN AGFubgBzZWNyZXQ=\n S: " + reply + end);
  SessionRun run(script);
  run.peer.address = address;
  run.listener.tls = config::TlsMode::implicit;
  run.listener.auth = config::ListenerAuth::required;
  run.intake.passwords.emplace("ann", Secret("secret"));
  for (unsigned i = 0; i < Penalties::limit; ++i) run.penalties.failed(address, of, run.loop.now());
  expect_as_written(run);
}

TEST(SessionAbuse, AnAccountThatFailedOftenIsNotHeardAnyMoreFromThere) {
  demand_reply_after_failures("192.0.2.7", "ann", "421 4.7.0 ...");
  demand_reply_after_failures("127.0.0.1", "ann", "235 2.7.0 ...");  // programs here share their address
}

TEST(SessionAbuse, WhoGuessesDoesNotShutOutHisNeighbour) {
  demand_reply_after_failures("192.0.2.7", "bob", "235 2.7.0 ...");
}

// With SCRAM a right password shows in a last challenge, before the reply.
TEST(SessionAbuse, ALockTellsNothingOfThePassword) {
  sasl::Client ann(sasl::Mechanism::scram_sha_256, {"ann", Secret("secret")});
  Script script = client("TLS\n" + guesses(0, "S: 250-REQUIRETLS\n"));
  say(script, "AUTH SCRAM-SHA-256 " + *ann.step("") + "\r\n");
  expect(script, "334 ...");
  script.push_back({Step::Kind::say, {}, {}, [&ann](std::string_view heard) {
                      return *ann.step(heard.substr(4)) + "\r\n";
                    }});
  expect(script, "421 4.7.0 ...");
  SessionRun run(script);
  run.peer.address = "192.0.2.7";
  run.listener.tls = config::TlsMode::implicit;
  run.listener.auth = config::ListenerAuth::required;
  run.intake.passwords.emplace("ann", Secret("secret"));
  for (unsigned i = 0; i < Penalties::limit; ++i)
    run.penalties.failed(run.peer.address, "ann", run.loop.now());
  expect_as_written(run);
}

// --- holding a connection ---

// How long it took to play the script, to its last line.
Duration time_until_closed(SessionRun& run) {
  const SteadyTime start = run.loop.now();
  expect_as_written(run);
  return run.loop.now() - start;
}

TEST(SessionAbuse, AClientWithoutALoginHoldsItsConnectionForAMinute) {
  std::string lines = "S: 220 ...\n";
  for (int i = 0; i < 5; ++i) lines += "PAUSE 10s\n C: NOOP\n S: 250 2.0.0 Ok\n";
  SessionRun useless(client(lines + " S: 421 4.7.0 Login took too long"));
  useless.listener.auth = config::ListenerAuth::required;
  EXPECT_EQ(time_until_closed(useless), 1min);

  SessionRun idle(client("S: 220 ...\n S: 421 4.7.0 Login took too long"));
  idle.listener.allow.clear();
  EXPECT_EQ(time_until_closed(idle), 1min);
}

TEST(SessionAbuse, ALateLoginIsToldSoAmidItsExchange) {
  const std::string hello =
      "S: 220 ...\n C: EHLO client.example.org\n S: 250-mail.example.com\n S: 250-PIPELINING\n"
      "S: 250-SIZE ...\n S: 250-8BITMIME\n S: 250-SMTPUTF8\n S: 250-DSN\n S: 250-ENHANCEDSTATUSCODES\n"
      "S: 250 ...\n";
  SessionRun run(client(hello + "C: AUTH LOGIN\n S: 334 ...\n S: 421 4.7.0 Login took too long"));
  run.listener.auth = config::ListenerAuth::required;
  EXPECT_EQ(time_until_closed(run), 1min);
}

TEST(SessionAbuse, AClientThatMaySendHasItsTime) {
  SessionRun allowed(client("S: 220 ...\n PAUSE 299s\n C: QUIT\n S: 221 2.0.0 Bye"));
  expect_as_written(allowed);
}

// A relay that is to end at once does not wait for it.
TEST(SessionAbuse, AFailedLoginThatWaitsForItsAnswerEndsAtAnAbort) {
  SessionRun run(client(guesses(0) + "C: AUTH PLAIN AGFubgB3cm9uZw=="));
  run.listener.auth = config::ListenerAuth::required;
  run.loop.call_at(run.loop.now() + 500ms, [&run] { run.session->abort(); });
  EXPECT_EQ(time_until_closed(run), 500ms);
}

// The answer is the same, right or wrong: it needs no key.
TEST(SessionAbuse, NothingIsDerivedForAnAccountThatIsLockedOut) {
  const Accounts hashed = {{"ann", *sasl::parse_scram_secret(*sasl::make_scram_secret(Secret("secret")))}};
  for (const char* const login :
       {"AUTH PLAIN AGFubgBzZWNyZXQ=\n", "AUTH LOGIN\n S: 334 ...\n C: YW5u\n S: 334 ...\n C: c2VjcmV0\n"}) {
    SessionRun run(client("TLS\n" + guesses(0, "S: 250-REQUIRETLS\n") + "C: " + login + "S: 421 4.7.0 ..."));
    run.peer.address = "192.0.2.7";
    run.listener.tls = config::TlsMode::implicit;
    run.listener.auth = config::ListenerAuth::required;
    run.intake.passwords = hashed;
    for (unsigned i = 0; i < Penalties::limit; ++i)
      run.penalties.failed(run.peer.address, "ann", run.loop.now());
    test::derived.clear();
    expect_as_written(run);
    EXPECT_TRUE(test::derived.empty()) << login;
  }
}

TEST(SessionAbuse, HandshakesOfOneAddressWaitForEachOther) {
  for (const auto& [address, wait] :
       {std::pair("192.0.2.7", 50ms), {"192.0.2.8", 0ms}, {"127.0.0.1", 0ms}, {"203.0.113.7", 0ms}}) {
    SessionRun run(client("TLS\n S: 220 ...\n C: QUIT\n S: 221 2.0.0 Bye"));
    run.peer.address = address;
    run.listener.tls = config::TlsMode::implicit;
    run.listener.auth = config::ListenerAuth::optional;
    run.listener.allow = {*config::Network::parse("203.0.113.0/24")};  // who needs no login waits for nobody
    for (const char* const guest : {"192.0.2.7", "203.0.113.7"})
      for (int i = 0; i < 100; ++i) run.gate.handshakes.next_for(guest, run.loop.now());
    EXPECT_EQ(time_until_closed(run), wait) << address;
  }
}

TEST(SessionAbuse, WhereSomebodyLogsInNobodyWaitsForStrangers) {
  for (const auto& [address, wait] : {std::pair("192.0.2.9", 0ms), {"192.0.2.10", 5ms}}) {
    SessionRun run(client("TLS\n S: 220 ...\n C: QUIT\n S: 221 2.0.0 Bye"));
    run.peer.address = address;
    run.listener.tls = config::TlsMode::implicit;
    run.listener.auth = config::ListenerAuth::required;
    run.penalties.succeeded("192.0.2.9", "ann", run.loop.now());
    for (int i = 0; i < 100; ++i) run.gate.handshakes.next_for("192.0.2.9", run.loop.now());
    for (int i = 0; i < 400; ++i) run.gate.handshakes.next_for_all(run.loop.now());
    EXPECT_EQ(time_until_closed(run), wait) << address;
  }
}

}  // namespace
}  // namespace relayd::accept
