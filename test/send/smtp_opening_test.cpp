// The SMTP client from address to address of a host, until one lets it in.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "send/client_fixture.hpp"
#include "send/smtp_transport.hpp"

namespace relayd::send {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* talks = R"(
  S: 220 smtp.example.net ESMTP
  C: EHLO relay.example.com
  S: 250 smtp.example.net
  C: QUIT
  S: 221 Bye
)";

// Opens a connection to a host with an address for each script.
struct Attempt {
  explicit Attempt(const std::vector<std::string>& scripts)
      : run(test::make_script(test::Side::server, talks)) {
    for (const std::string& lines : scripts)
      peers.push_back(
          std::make_unique<test::ScriptedPeer>(run.loop, test::make_script(test::Side::server, lines)));
    dialer.addresses = scripts.size();
    run.target.hostname = "relay.example.com";
    SmtpTransport transport(run.loop, run.workers, dialer, run.target, [this] { return run.fetch(); });
    event = test::drive(run.loop, open(transport));
    for (const auto& peer : peers) EXPECT_EQ(peer->complaint(), "");
  }
  static async::Task<std::optional<Event>> open(SmtpTransport& transport) {
    std::optional<Event> failed = co_await transport.open();
    if (!failed) co_await transport.close();
    co_return failed;
  }

  test::ClientRun run;
  std::vector<std::unique_ptr<test::ScriptedPeer>> peers;
  std::size_t dialled = 0;
  test::ScriptedDialer dialer{run.loop, [this](const std::string&, std::uint16_t) -> test::ScriptedPeer& {
                                return *peers.at(dialled++);
                              }};
  std::optional<Event> event;
};

TEST(SmtpOpening, AnAddressThatRefusesToTalkIsLeftForTheNext) {
  for (const char* const refusal :
       {"S: 554 5.3.2 Not here\n C: QUIT\n S: 221 Bye", "S: 421 4.3.2 Busy\n CLOSE", "CLOSE", "RESET",
        "S: 220 x\n C: EHLO relay.example.com\n S: 421 4.3.2 Busy\n CLOSE"}) {
    SCOPED_TRACE(refusal);
    const Attempt attempt({refusal, talks});
    EXPECT_FALSE(attempt.event);
    EXPECT_EQ(attempt.dialled, 2U);
    EXPECT_THAT(attempt.dialer.left, testing::SizeIs(1));
  }
}

TEST(SmtpOpening, WhereAllAddressesRefuseTheLastIsReported) {
  const Attempt attempt({"S: 554 5.3.2 Not here\n C: QUIT\n S: 221 Bye", "S: 421 4.3.2 Busy\n CLOSE"});
  ASSERT_TRUE(attempt.event);
  EXPECT_EQ(test::shown(*attempt.event), "greeting 421 4.3.2 Busy");
  EXPECT_EQ(attempt.dialled, 2U);
}

TEST(SmtpOpening, AnAddressThatTalksIsKept) {
  const Attempt attempt({talks, talks});
  EXPECT_FALSE(attempt.event);
  EXPECT_THAT(attempt.dialer.left, IsEmpty());
}

}  // namespace
}  // namespace relayd::send
