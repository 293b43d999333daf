// What upstreams offer: which message they can take, what is known of it before the message is, and where one
// goes that the first of its route cannot take.
#include "relay/lanes.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/dispatcher_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::MessageState;
using testing::ElementsAre;

constexpr const char* everything = "S: 220 x\n C: EHLO relay.example.com\n S: 250-x\n S: 250 8BITMIME\n";
constexpr const char* nothing = "S: 220 x\n C: EHLO relay.example.com\n S: 250 x\n";
constexpr const char* lack =
    "office b@example.org 5.6.3 the message needs 8BITMIME, which office.example.net does not offer";

class LanesTest : public test::DispatcherFixture {
 protected:
  void start_with(const std::vector<std::string>& names) {
    for (const std::string& name : names)
      add_upstream(name, {static_cast<std::uint16_t>(config->upstreams.size() + 1)}).retry_next_on = {
          smtp::ReplyClass::connect};
    add_rule("*", names);
    start();
  }
  MessageId commit_eight_bit() { return run_task(commit_task("text\r\n", eight_bit()), &loop); }
  static queue::Envelope eight_bit() {
    queue::Envelope envelope;
    envelope.sender = envelope.routing_sender = "a@example.org";
    envelope.recipients.push_back({"b@example.org", "", ""});
    envelope.eight_bit = true;
    return envelope;
  }
  static std::string taken_as_it_is() {
    return "C: MAIL FROM:<a@example.org> BODY=8BITMIME\n S: 250 Ok\n C: RCPT TO:<b@example.org>\n S: 250 Ok\n"
           "C: DATA\n" +
           content();
  }
  // The code with which a message is refused at once; 0: it is not.
  int refused(const queue::Envelope& envelope, std::uint64_t size = 0) {
    const Lanes& lanes = dispatcher->lanes();
    const auto refusal = lanes.refusal(lanes.router().route("a@example.org").choices, envelope, size);
    return refusal ? refusal->code : 0;
  }
};

// Whatever `retry_next_on` says: the first was not asked.
TEST_F(LanesTest, AMessageGoesToTheUpstreamThatCanTakeIt) {
  start_with({"office", "backup"});
  expect(1, nothing);
  expect(2, everything + taken_as_it_is());
  commit_eight_bit();
  run_until_attempts(2);
  EXPECT_THAT(attempts, ElementsAre(lack, "backup b@example.org 250 Ok"));
  EXPECT_EQ(complaints(), "");
}

TEST_F(LanesTest, AMessageThatNoUpstreamCanTakeFails) {
  start_with({"office"});
  expect(1, nothing);
  const MessageId id = commit_eight_bit();
  run_until_attempts(1);
  EXPECT_THAT(attempts, ElementsAre(lack));
  EXPECT_EQ(message(id).state, MessageState::failed);
}

// They were not sent, and no connection ended.
TEST_F(LanesTest, MessagesThatCannotBeTakenPauseNoLane) {
  start_with({"office"});
  expect(1, nothing);
  for (std::size_t i = 1; i <= 4; ++i) {
    commit_eight_bit();
    run_until_attempts(i);
  }
  dispatcher->lanes().for_each([](const LaneEntry& lane) { EXPECT_EQ(lane.breaker().troubles(), 0U); });
  EXPECT_EQ(complaints(), "");
}

TEST_F(LanesTest, WhatOnlyAnUpstreamInTroubleCanTakeWaitsForIt) {
  start_with({"backup", "office"});
  expect(2, nothing);
  const MessageId id = commit_eight_bit();
  run_until_attempts(2);
  EXPECT_THAT(attempts, ElementsAre("backup b@example.org connection refused", lack));
  EXPECT_EQ(message(id).state, MessageState::waiting);
  expect(1, everything);  // a knock
  expect(1, everything + taken_as_it_is());
  loop.advance(shipment(id).due - loop.now());
  run_until_attempts(3);
  EXPECT_EQ(attempts.back(), "backup b@example.org 250 Ok");
}

TEST_F(LanesTest, WhatAnUpstreamDoesNotOfferIsKnownForAnHour) {
  start_with({"office"});
  EXPECT_EQ(refused(eight_bit()), 0);  // never connected to
  expect(1, std::string(nothing) +
                "C: MAIL FROM:<a@example.org>\n S: 250 Ok\n C: RCPT TO:<b@example.org>\n"
                "S: 250 Ok\n C: DATA\n" +
                content());
  commit("text\r\n");
  run_until_attempts(1);
  EXPECT_EQ(refused(eight_bit()), 554);
  queue::Envelope unicode;
  unicode.smtp_utf8 = true;
  EXPECT_EQ(refused(unicode), 550);
  queue::Envelope private_one;
  private_one.require_tls = true;
  EXPECT_EQ(refused(private_one), 550);
  EXPECT_EQ(refused({}), 0);
  advance(1h);
  EXPECT_EQ(refused(eight_bit()), 0);
}

TEST_F(LanesTest, TheSizeThatAnUpstreamAnnouncesIsKnown) {
  start_with({"office"});
  expect(
      1,
      "S: 220 x\n C: EHLO relay.example.com\n S: 250-x\n S: 250 SIZE 1000\n"
      "C: MAIL FROM:<a@example.org> SIZE=6\n S: 250 Ok\n C: RCPT TO:<b@example.org>\n S: 250 Ok\n C: DATA\n" +
          content());
  EXPECT_EQ(refused({}, 1001), 0);
  commit("text\r\n");
  run_until_attempts(1);
  EXPECT_EQ(complaints(), "");
  EXPECT_EQ(refused({}, 1000), 0);
  EXPECT_EQ(refused({}, 1001), 552);
}

TEST_F(LanesTest, WhatIsKnownHoldsForEveryRuleThatLeadsThere) {
  add_rule("c@example.org", {"office"});
  start_with({"office"});
  expect(1, nothing);
  commit_eight_bit();
  run_until_attempts(1);
  const Lanes& lanes = dispatcher->lanes();
  const auto refusal = lanes.refusal(lanes.router().route("c@example.org").choices, eight_bit(), 0);
  ASSERT_TRUE(refusal);
  EXPECT_EQ(refusal->code, 554);
}

TEST_F(LanesTest, OneUpstreamThatTakesItIsEnough) {
  start_with({"office", "backup"});
  expect(1, nothing);
  expect(2, everything + taken_as_it_is());
  commit_eight_bit();
  run_until_attempts(2);
  EXPECT_EQ(refused(eight_bit()), 0);
}

// It is offered, but over TLS that proves nothing, or none at all (RFC 8689 4.2.1).
TEST_F(LanesTest, RequireTlsInTheClearIsNoOffer) {
  start_with({"office"});
  expect(1, "S: 220 x\n C: EHLO relay.example.com\n S: 250-x\n S: 250 REQUIRETLS\n");
  queue::Envelope private_one = eight_bit();
  private_one.eight_bit = false;
  private_one.require_tls = true;
  const MessageId id = run_task(commit_task("text\r\n", private_one), &loop);
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::failed);
  EXPECT_EQ(refused(private_one), 550);
}

}  // namespace
}  // namespace relayd
