// Hostile cases: what all lanes of an upstream share, at its worst.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/sending_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using testing::Each;
using testing::SizeIs;

class SitesTroubleTest : public test::SendingFixture, public async::Dialer {
 protected:
  // Notes the ports.
  async::Task<std::unique_ptr<async::Stream>> dial(const std::string& host, std::uint16_t port,
                                                   const async::TlsPolicy& policy, Deadline deadline,
                                                   std::stop_token stop) override {
    ports.push_back(port);
    if (ports.size() >= enough) co_await async::sleep_until(loop, loop.now() + 24h);
    if (server.connections >= most) throw async::IoError(async::IoFault::refused, "refused");
    std::unique_ptr<async::Stream> stream = co_await server.dial(host, port, policy, deadline, stop);
    co_return stream;
  }
  // As the operator edits it: what was read before stays as it is.
  config::Config& edit() {
    config = std::make_shared<config::Config>(*config);
    return *config;
  }

  std::vector<std::uint16_t> ports;  // that were dialled
  std::size_t most = 10'000;         // connections that the host stands
  std::size_t enough = 10'000;       // of them, so that a test ends
};

// The operator has another port for an upstream that mail went past. No mail has come since.
TEST_F(SitesTroubleTest, APortThatIsGoneIsNotKnockedAtAfterAReload) {
  add_office();
  add_upstream("backup", {2});
  add_accounts(3, {"office", "backup"});
  server.closed = {1};
  start(*this);
  for (int i = 0; i < 3; ++i) hand_in(fmt::format("s{}@example.org", i), 1);
  pass(10ms);
  ASSERT_EQ(left(), 0U);
  edit().upstreams[0].ports = {3};
  reload();
  ports.clear();
  pass(10s);
  EXPECT_THAT(ports, Each(3));
  ports.clear();
  hand_in("s0@example.org", 1);
  pass(1s);
  EXPECT_THAT(ports, testing::ElementsAre(3));
  EXPECT_EQ(taken_by_account()["s0"], 1);
}

// One account has learnt of the second port, another knocks as the configuration was before.
TEST_F(SitesTroubleTest, AReloadAddsAPortForAccountsThatHaveNoMail) {
  add_office();
  add_upstream("backup", {2});
  add_accounts(3, {"office", "backup"});
  server.closed = {1, 3};
  start(*this);
  for (int i = 0; i < 3; ++i) hand_in(fmt::format("s{}@example.org", i), 1);
  pass(10ms);
  edit().upstreams[0].ports = {1, 3};
  reload();
  ports.clear();
  hand_in("s2@example.org", 1);
  pass(10min);
  EXPECT_THAT(ports, Each(testing::AnyOf(1, 2, 3)));
}

// The lane alone was in trouble; then the first port goes away.
TEST_F(SitesTroubleTest, AKnockOfALaneAtTheFirstPortGoesOnToTheNext) {
  enough = 500;
  add_office().ports = {1, 3};
  add_accounts(1);
  server.answer = [](std::string_view command, const std::string&) {
    return command == "AUTH" ? "535 5.7.8 Wrong" : "";
  };
  start(*this);
  hand_in("s0@example.org", 1);
  run_until_quiet();
  ASSERT_THAT(ports, SizeIs(1));
  server.down = true;
  for (int i = 0; i < 40 && ports.size() < 2; ++i) {  // its own pause is over, the site was well
    loop.advance(std::max<Duration>(loop.next_timer() - loop.now(), 0ms));
    settle_down();
  }
  EXPECT_LE(ports.size(), 4U) << "dials at one moment";
  server.down = false;
  server.answer = {};
  if (ports.size() > 10) return;
  pass(5min);
  EXPECT_EQ(server.taken.size(), 1U);
}

// More lanes than are told in one turn.
TEST_F(SitesTroubleTest, ThousandsOfAccountsGoOn) {
  add_office().limits.connections_total = 1;
  add_accounts(1600);
  server.down = true;
  start(*this);
  for (int i = 0; i < 1600; ++i) hand_in(fmt::format("s{}@example.org", i), 1);
  pass(10s);
  server.down = false;
  pass(3min);
  EXPECT_EQ(left(), 0U);
}

// Reading a password is no proof that the site sends.
TEST_F(SitesTroubleTest, AnAccountWithoutAReadablePasswordResumesNothing) {
  add_office();
  add_accounts(2);
  config->senders[0].upstreams[0].password.kind = config::SecretSource::Kind::file;
  config->senders[0].upstreams[0].password.name = "/nonexistent/password";
  server.answer = [](std::string_view command, const std::string& account) {
    return account == "s1" && command.starts_with("MAIL") ? "421 4.3.2 Not now" : "";
  };
  start(*this);
  hand_in("s0@example.org", 1);
  hand_in("s1@example.org", 30);
  pass(10min);
  ports.clear();
  pass(1h);
  EXPECT_LE(ports.size(), 200U);
}

// Whose password is wrong shows that the site talks, and not that it takes mail.
TEST_F(SitesTroubleTest, AWrongPasswordDoesNotHurryWhatEndsBehindTheLogin) {
  add_office();
  add_accounts(20);
  server.answer = [](std::string_view command, const std::string& account) {
    if (command == "AUTH" && account == "s0") return "535 5.7.8 Wrong";
    return command.starts_with("MAIL") ? "421 4.3.2 Not now" : "";
  };
  start(*this);
  for (int i = 0; i < 20; ++i) hand_in(fmt::format("s{}@example.org", i), 10);
  pass(10min);
  ports.clear();
  pass(1h);
  EXPECT_LE(ports.size(), 150U);
}

// A host that refuses the second connection would take all by one. No delivery is a reason to dial again at
// once, and no refusal keeps the connection that there is from its mail.
TEST_F(SitesTroubleTest, AHostThatRefusesTheSecondConnectionIsNotDialledForEachMessage) {
  add_office();
  add_accounts(2);
  most = 1;
  start(*this);
  hand_in("s0@example.org", 200);
  hand_in("s1@example.org", 200);
  pass(10min);
  EXPECT_EQ(left(), 0U);
  EXPECT_LE(ports.size(), 100U);
}

}  // namespace
}  // namespace relayd
