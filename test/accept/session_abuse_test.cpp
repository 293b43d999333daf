// Clients that are no mail programs, or hostile ones: who talks out of turn, who guesses, who wastes time.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  SessionRun useless(client(lines + " S: 421 4.7.0 Nobody has logged in for too long"));
  useless.listener.auth = config::ListenerAuth::required;
  EXPECT_EQ(time_until_closed(useless), 1min);

  SessionRun idle(client("S: 220 ...\n S: 421 4.7.0 Nobody has logged in for too long"));
  idle.listener.allow.clear();
  EXPECT_EQ(time_until_closed(idle), 1min);
}

TEST(SessionAbuse, ALateLoginIsToldSoAmidItsExchange) {
  const std::string hello =
      "S: 220 ...\n C: EHLO client.example.org\n S: 250-mail.example.com\n S: 250-PIPELINING\n"
      "S: 250-SIZE ...\n S: 250-8BITMIME\n S: 250-SMTPUTF8\n S: 250-DSN\n S: 250-ENHANCEDSTATUSCODES\n"
      "S: 250 ...\n";
  SessionRun run(
      client(hello + "C: AUTH LOGIN\n S: 334 ...\n S: 421 4.7.0 Nobody has logged in for too long"));
  run.listener.auth = config::ListenerAuth::required;
  EXPECT_EQ(time_until_closed(run), 1min);
}

TEST(SessionAbuse, AClientThatMaySendHasItsTime) {
  SessionRun allowed(client("S: 220 ...\n PAUSE 299s\n C: QUIT\n S: 221 2.0.0 Bye"));
  expect_as_written(allowed);
}

// Neither kind of account, nor the number of iterations, tells a name that exists from one that does not.
TEST(FindAccount, ANameThatNobodyHasLooksLikeOneThatSomebodyHas) {
  Accounts accounts;
  EXPECT_FALSE(find_account(accounts, "nobody"));
  accounts.emplace("ann", sasl::ScramSecret{8192, "salt", std::string(32, 's'), std::string(32, 'k')});
  const auto made_up = find_account(accounts, "nobody");
  ASSERT_TRUE(made_up);
  const auto& secret = std::get<sasl::ScramSecret>(*made_up);
  EXPECT_EQ(secret.iterations, 8192U);
  EXPECT_EQ(secret.salt.size(), 16U);
  EXPECT_EQ(secret.salt, std::get<sasl::ScramSecret>(*find_account(accounts, "nobody")).salt);
  EXPECT_NE(secret.salt, std::get<sasl::ScramSecret>(*find_account(accounts, "somebody")).salt);
  accounts.emplace("bob", Secret("secret"));
  int kept = 0;
  for (int i = 0; i < 100; ++i) kept += find_account(accounts, "name" + std::to_string(i)).has_value();
  EXPECT_GT(kept, 20);
  EXPECT_LT(kept, 80);
}

TEST(Penalties, GrowAndAreForgotten) {
  Penalties penalties;
  const SteadyTime start{1h};
  for (const Duration delay : {1s, 2s, 4s, 8s, 8s})
    EXPECT_EQ(penalties.failed("192.0.2.7", "ann", start), delay);
  EXPECT_EQ(penalties.failed("192.0.2.8", "ann", start), 1s);
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "ann", start));
  for (int i = 0; i < 15; ++i) penalties.failed("192.0.2.7", "ann", start);
  EXPECT_TRUE(penalties.exhausted("192.0.2.7", "ann", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.8", "ann", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "ann", start + Penalties::memory + 1s));
  EXPECT_EQ(penalties.failed("192.0.2.7", "ann", start + Penalties::memory + 1s), 1s);
}

TEST(Penalties, AnIpv6NetworkIsOneClient) {
  EXPECT_EQ(counted_as("2001:db8:1:2:3:4:5:6"), counted_as("2001:db8:1:2::1"));
  EXPECT_NE(counted_as("2001:db8:1:3::1"), counted_as("2001:db8:1:2::1"));
  EXPECT_EQ(counted_as("192.0.2.7"), "192.0.2.7");
  EXPECT_EQ(counted_as("uid:1000"), "uid:1000");
}

TEST(Penalties, AnAccountIsCountedForEachAddress) {
  const SteadyTime start{1h};
  Penalties penalties;
  for (unsigned i = 0; i < Penalties::limit; ++i) penalties.failed("192.0.2.7", "ann", start);
  EXPECT_TRUE(penalties.exhausted("192.0.2.7", "ann", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "bob", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.8", "ann", start));
  EXPECT_EQ(penalties.failed("192.0.2.7", "bob", start), 1s);
}

TEST(Penalties, ALoginForgivesWhatFailedBefore) {
  const SteadyTime start{1h};
  Penalties penalties;
  for (int i = 0; i < 19; ++i) penalties.failed("192.0.2.7", "ann", start);
  penalties.succeeded("192.0.2.7", "ann", start);
  EXPECT_EQ(penalties.failed("192.0.2.7", "ann", start), 1s);
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "ann", start));
}

TEST(Penalties, WhoTriesManyNamesIsStoppedAndWhoIsKnownThereIsNot) {
  const SteadyTime start{1h};
  Penalties penalties;
  penalties.succeeded("192.0.2.7", "ann", start);
  for (unsigned i = 0; i < Penalties::limit_of_all; ++i)
    penalties.failed("192.0.2.7", "name" + std::to_string(i), start);
  EXPECT_TRUE(penalties.exhausted("192.0.2.7", "another", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "ann", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.8", "another", start));
  EXPECT_FALSE(penalties.exhausted("192.0.2.7", "another", start + Penalties::memory + 1s));
}

TEST(Penalties, ASiteIsCountedBesideItsNetworks) {
  const SteadyTime start{1h};
  Penalties penalties;
  const auto network = [](unsigned number) { return fmt::format("2001:db8:1:{:x}::1", number); };
  for (unsigned i = 0; i < Penalties::limit; ++i) penalties.failed(network(0), "ann", start);
  EXPECT_TRUE(penalties.exhausted(network(0), "ann", start));
  EXPECT_FALSE(penalties.exhausted(network(1), "ann", start));
  for (unsigned i = 0; i < Penalties::limit * (Penalties::times_for_a_site - 1); ++i)
    penalties.failed(network(2 + i), "ann", start);
  EXPECT_TRUE(penalties.exhausted(network(1), "ann", start));
  EXPECT_FALSE(penalties.exhausted("2001:db8:2:1::1", "ann", start));
}

TEST(Penalties, MemoryIsBounded) {
  Penalties penalties;
  for (std::size_t i = 0; i < 2 * Penalties::entries_limit; ++i)
    penalties.failed("192.0.2." + std::to_string(i), "ann", SteadyTime{1h});
  for (int i = 0; i < 20; ++i) penalties.failed("192.0.2.0", "ann", SteadyTime{1h});
  EXPECT_TRUE(penalties.exhausted("192.0.2.0", "ann", SteadyTime{1h}));
}

// An application behind the same gateway logs in for every message: its success must not give a guesser
// without end another twenty tries.
TEST(Penalties, SuccessOfTheSameAccountDoesNotAllowGuessingForEver) {
  Penalties penalties;
  unsigned guesses = 0;
  for (const SteadyTime now{1h}; guesses < 10'000 && !penalties.exhausted("192.0.2.7", "app", now);
       ++guesses) {
    penalties.failed("192.0.2.7", "app", now);
    if (guesses % 10 == 0) penalties.succeeded("192.0.2.7", "app", now);
  }
  EXPECT_EQ(guesses, Penalties::limit_beside_success);
  EXPECT_FALSE(penalties.exhausted("192.0.2.8", "app", SteadyTime{1h}));
}

TEST(Penalties, WhoeverLogsInFromHisNetworkIsNotShutOutByTheOnesAround) {
  Penalties penalties;
  const SteadyTime now{1h};
  penalties.succeeded("2001:db8:1:7::1", "ann", now);
  for (unsigned i = 0; i < 20 * Penalties::limit; ++i)
    penalties.failed(fmt::format("2001:db8:1:{:x}::1", 16 + i % 20), "ann", now);
  EXPECT_FALSE(penalties.exhausted("2001:db8:1:7::1", "ann", now));
  EXPECT_TRUE(penalties.exhausted("2001:db8:1:8::1", "ann", now));
}

// --- turns ---

TEST(Turns, WhoComesTooFastWaitsAndNobodyElseDoes) {
  const SteadyTime start{1h};
  Turns turns({10, 3}, {100, 3});
  for (const Duration wait : {0ms, 0ms, 0ms, 100ms, 200ms})
    EXPECT_EQ(turns.take("192.0.2.7", start) - start, wait);
  EXPECT_EQ(turns.take("192.0.2.8", start), start);
  EXPECT_EQ(turns.take("192.0.2.7", start + 1s), start + 1s);
  for (const Duration wait : {0ms, 0ms, 0ms, 10ms}) EXPECT_EQ(turns.take_of_all(start) - start, wait);
}

TEST(Turns, MemoryIsBounded) {
  Turns turns({1, 1}, {1, 1});
  for (std::size_t i = 0; i < 3 * Turns::clients_limit; ++i)
    turns.take("192.0.2." + std::to_string(i), SteadyTime{1h});
  turns.take("192.0.2.0", SteadyTime{2h});
  EXPECT_EQ(turns.take("192.0.2.0", SteadyTime{2h}), SteadyTime{2h} + 1s);
}

TEST(SessionAbuse, HandshakesOfOneAddressTakeTurns) {
  for (const auto& [address, wait] :
       {std::pair("192.0.2.7", 50ms), {"192.0.2.8", 0ms}, {"127.0.0.1", 0ms}, {"203.0.113.7", 0ms}}) {
    SessionRun run(client("TLS\n S: 220 ...\n C: QUIT\n S: 221 2.0.0 Bye"));
    run.peer.address = address;
    run.listener.tls = config::TlsMode::implicit;
    run.listener.auth = config::ListenerAuth::optional;
    run.listener.allow = {*config::Network::parse("203.0.113.0/24")};  // who needs no login needs no turn
    for (const char* const guest : {"192.0.2.7", "203.0.113.7"})
      for (int i = 0; i < 100; ++i) run.gate.handshakes.take(guest, run.loop.now());
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
    for (int i = 0; i < 100; ++i) run.gate.handshakes.take("192.0.2.9", run.loop.now());
    for (int i = 0; i < 400; ++i) run.gate.handshakes.take_of_all(run.loop.now());
    EXPECT_EQ(time_until_closed(run), wait) << address;
  }
}

}  // namespace
}  // namespace relayd::accept
