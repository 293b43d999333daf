// Dispatcher over a real queue and scripted upstreams: where a message goes next, and when.
#include "relay/dispatcher.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/dispatcher_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::MessageState;
using queue::RecipientState;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr const char* text = "text\r\n";

class DispatcherTest : public test::DispatcherFixture {
 protected:
  // Two upstreams for everybody, in this order: office at port 1, backup at port 2.
  void start_with_backup() {
    add_upstream("office", {1});
    add_upstream("backup", {2});
    add_rule("*", {"office", "backup"});
    start();
  }
  void start_office() {
    add_upstream("office", {1});
    add_rule("*", {"office"});
    start();
  }
  bool gone(MessageId id) { return queue->find(id) == nullptr; }
};

TEST_F(DispatcherTest, WhatIsDeliveredIsGone) {
  start_office();
  expect(1, greeting() + taken());
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org 250 Ok"));
  EXPECT_TRUE(gone(id));
  EXPECT_EQ(complaints(), "");
}

TEST_F(DispatcherTest, ATemporaryRefusalWaitsForItsTime) {
  start_office();
  expect(1, greeting() + envelope() + "S: 450 4.2.1 Later\n S: 554 Nobody\n C: RSET\n S: 250 Ok\n" + taken());
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::waiting);
  EXPECT_EQ(shipment(id).attempts, 1U);
  EXPECT_EQ(shipment(id).due - loop.now(), 60s);
}

TEST_F(DispatcherTest, DelaysGrow) {
  start_office();
  const std::string later = greeting() + envelope() + "S: 450 4.2.1 Later\n S: 554 Nobody\n";
  expect(1, later);
  const MessageId id = commit(text);
  std::vector<Duration> delays;
  for (std::size_t i = 1; i <= 8; ++i) {
    if (i > 1) {
      expect(1, later);
      loop.advance(shipment(id).due - loop.now());
    }
    run_until_attempts(i);
    delays.push_back(shipment(id).due - loop.now());
    loop.advance(30s);  // the connection's idle time
  }
  EXPECT_THAT(delays, ElementsAre(60s, 120s, 240s, 480s, 960s, 1920s, 3600s, 3600s));
}

TEST_F(DispatcherTest, EachRecipientHasItsOwnFate) {
  start_office();
  const std::vector<std::string> all{"b@example.org", "c@example.org", "d@example.org"};
  expect(1,
         greeting() + envelope(all) + "S: 250 Ok\n S: 450 4.2.1 Later\n S: 550 5.1.1 Unknown\n" + content());
  const MessageId id = commit(text, all);
  run_until_attempts(3);
  EXPECT_THAT(look(id).states,
              ElementsAre(RecipientState::delivered, RecipientState::pending, RecipientState::failed));
  EXPECT_EQ(shipment(id).due - loop.now(), 60s);
  // Next time it is for the one that is left.
  expect(1, greeting() + envelope({"c@example.org"}) + "S: 250 Ok\n" + content());
  advance(60s);
  run_until_attempts(4);
  EXPECT_EQ(attempts.back(), "office c@example.org 250 Ok");
  EXPECT_EQ(complaints(), "");
  EXPECT_EQ(message(id).state, MessageState::failed);
}

// --- failover ---

TEST_F(DispatcherTest, AnUpstreamThatCannotBeReachedIsPassedOver) {
  start_with_backup();
  expect(2, greeting() + taken());
  const MessageId id = commit(text);
  run_until_attempts(2);
  EXPECT_THAT(attempts,
              ElementsAre("office b@example.org connection refused", "backup b@example.org 250 Ok"));
  EXPECT_TRUE(gone(id));
}

TEST_F(DispatcherTest, AnUpstreamThatTakesNoMailIsPassedOver) {
  start_with_backup();
  expect(1, "S: 554 5.3.2 No mail here\n");
  expect(2, greeting() + taken());
  commit(text);
  run_until_attempts(2);
  EXPECT_THAT(attempts,
              ElementsAre("office b@example.org 554 5.3.2 No mail here", "backup b@example.org 250 Ok"));
}

TEST_F(DispatcherTest, ASenderThatIsNotTakenHereMayBeTakenThere) {
  start_with_backup();
  expect(1, greeting() +
                "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
                "S: 550 5.7.1 Not you\n S: 503 5.5.1 Order\n S: 503 5.5.1 Order\n");
  expect(2, greeting() + taken());
  commit(text);
  run_until_attempts(2);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org 550 5.7.1 Not you", "backup b@example.org 250 Ok"));
}

TEST_F(DispatcherTest, WhatIsRefusedAsSuchNeverMovesOn) {
  start_with_backup();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("S: 554 5.7.1 Spam"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::failed);
  advance(24h);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org 554 5.7.1 Spam"));
  EXPECT_THAT(dialer.ports, ElementsAre(1));
}

TEST_F(DispatcherTest, AnUnknownRecipientNeverMovesOn) {
  start_with_backup();
  expect(1, greeting() + envelope() + "S: 550 5.1.1 Unknown\n S: 554 Nobody\n");
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::failed);
  EXPECT_THAT(dialer.ports, ElementsAre(1));
}

TEST_F(DispatcherTest, ATemporaryRefusalNeverMovesOn) {
  start_with_backup();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("S: 451 4.3.0 Later"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(shipment(id).due - loop.now(), 60s);
  EXPECT_THAT(dialer.ports, ElementsAre(1));
}

// --- in doubt ---

TEST_F(DispatcherTest, WhatMayHaveBeenTakenIsTriedWhereItWas) {
  start_with_backup();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org the server closed the connection"));
  EXPECT_EQ(shipment(id).due - loop.now(), 60s);
  expect(1, greeting() + taken());
  advance(60s);
  run_until_attempts(2);
  EXPECT_EQ(attempts.back(), "office b@example.org 250 Ok");
  EXPECT_TRUE(gone(id));
}

TEST_F(DispatcherTest, WhatMayHaveBeenTakenWaitsForItsUpstream) {
  start_with_backup();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  expect(2, greeting() + taken());  // would take it
  advance(60s);                     // office refuses the connection now
  run_until_attempts(2);
  EXPECT_EQ(attempts.back(), "office b@example.org connection refused");
  advance(3h);
  for (const std::string& attempt : attempts) EXPECT_THAT(attempt, testing::StartsWith("office"));
  EXPECT_FALSE(gone(id));
}

TEST_F(DispatcherTest, WhatMayHaveBeenTakenFailsWhereItIsRefused) {
  start_with_backup();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  expect(1, greeting() +
                "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
                "S: 550 5.7.1 Not you\n S: 503 5.5.1 Order\n S: 503 5.5.1 Order\n");
  expect(2, greeting() + taken());  // would take it
  advance(60s);
  run_until_attempts(2);
  EXPECT_EQ(message(id).state, MessageState::failed);
  EXPECT_THAT(dialer.ports, ElementsAre(1, 1));
}

TEST_F(DispatcherTest, WhatMayHaveBeenTakenWaitsForAPausedLane) {
  start_with_backup();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  advance(56s);
  expect(2, greeting() + taken() + taken());
  const MessageId other = commit(text);  // finds office closed: office pauses for five seconds
  run_until_attempts(3);
  EXPECT_TRUE(gone(other));
  advance(4s);
  EXPECT_EQ(attempts.size(), 3U);
  EXPECT_EQ(dials(), 3U);
  // It is let in again, and the message that has waited for it goes first.
  expect(1, greeting() + taken());
  advance(1s);
  run_until_attempts(4);
  EXPECT_TRUE(gone(id));
  EXPECT_EQ(attempts.back(), "office b@example.org 250 Ok");
}

TEST_F(DispatcherTest, WhatMayHaveBeenTakenIsHeldWhereTheOperatorWantsToLook) {
  config->queue.in_doubt = config::Queue::InDoubt::hold;
  start_with_backup();
  expect(1, greeting() + envelope() + "S: 250 Ok\n" + content("CLOSE"));
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::held);
}

TEST_F(DispatcherTest, WhatBrokeBeforeTheDotIsNotInDoubt) {
  start_with_backup();
  expect(1, greeting() + envelope() + "S: 250 Ok\n RESET\n");
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::waiting);
  EXPECT_FALSE(shipment(id).in_doubt());
}

// --- lanes ---

TEST_F(DispatcherTest, ALaneInTroubleDelaysNoOther) {
  add_upstream("office", {1});
  add_upstream("backup", {2});
  add_rule("a@example.org", {"office"});
  add_rule("*", {"backup"});
  start();
  commit(text);
  run_until_attempts(1);
  expect(2,
         "S: 220 x\n C: EHLO relay.example.com\n S: 250 x\n C: MAIL FROM:<z@example.org>\n S: 250 Ok\n"
         "C: RCPT TO:<b@example.org>\n S: 250 Ok\n C: DATA\n" +
             content());
  queue::Envelope other;
  other.sender = other.routing_sender = "z@example.org";
  other.recipients.push_back({"b@example.org", "", ""});
  run_task(commit_task(text, other), &loop);
  run_until_attempts(2);
  EXPECT_EQ(attempts.back(), "backup b@example.org 250 Ok");
}

TEST_F(DispatcherTest, ThePortsOfAnUpstreamAreALadder) {
  add_upstream("office", {1, 3});
  add_rule("*", {"office"});
  start();
  expect(3, greeting() + taken());
  commit(text);
  run_until_attempts(2);
  EXPECT_THAT(dialer.ports, ElementsAre(1, 3));
  EXPECT_EQ(attempts.back(), "office b@example.org 250 Ok");
  // The port that works is remembered.
  advance(30s);
  expect(3, greeting() + taken());
  commit(text);
  run_until_attempts(3);
  EXPECT_THAT(dialer.ports, ElementsAre(1, 3, 3));
}

TEST_F(DispatcherTest, PortsThatAllFailPauseTheUpstream) {
  add_upstream("office", {1, 3});
  add_rule("*", {"office"});
  start();
  const MessageId id = commit(text);
  run_until_attempts(2);
  EXPECT_THAT(dialer.ports, ElementsAre(1, 3));
  EXPECT_EQ(shipment(id).attempts, 2U);
  advance(5s);
  advance(1ms);
  EXPECT_THAT(dialer.ports, ElementsAre(1, 3, 1, 3));
}

// --- recipients ---

TEST_F(DispatcherTest, RecipientsThatAreTooManyFollowAtOnce) {
  start_office();
  const std::vector<std::string> all{"b@example.org", "c@example.org", "d@example.org"};
  expect(1, greeting() + envelope(all) + "S: 250 Ok\n S: 250 Ok\n S: 452 4.5.3 Too many\n" + content() +
                envelope({"d@example.org"}) + "S: 250 Ok\n" + content());
  const MessageId id = commit(text, all);
  const SteadyTime start = loop.now();
  run_until_attempts(4);
  EXPECT_EQ(loop.now(), start);
  EXPECT_TRUE(gone(id));
  EXPECT_EQ(complaints(), "");
}

TEST_F(DispatcherTest, AMessageIsSplitToWhatTheUpstreamTakes) {
  add_upstream("office", {1}).limits.recipients_per_message = 2;
  add_rule("*", {"office"});
  start();
  expect(1, greeting() + envelope({"b@example.org", "c@example.org"}) + "S: 250 Ok\n S: 250 Ok\n" +
                content() + envelope({"d@example.org"}) + "S: 250 Ok\n" + content());
  const MessageId id = commit(text, {"b@example.org", "c@example.org", "d@example.org"});
  const SteadyTime start = loop.now();
  run_until_attempts(3);
  EXPECT_EQ(loop.now(), start);
  EXPECT_TRUE(gone(id));
  EXPECT_EQ(complaints(), "");
}

// A server that takes nobody is not asked again and again.
TEST_F(DispatcherTest, AnUpstreamThatHasNoRoomForAnybodyIsLeftAlone) {
  start_office();
  expect(1, greeting() + envelope() + "S: 452 4.5.3 Too many\n S: 554 Nobody\n");
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(shipment(id).due - loop.now(), 60s);
  EXPECT_EQ(shipment(id).attempts, 1U);
  EXPECT_EQ(complaints(), "");
}

TEST_F(DispatcherTest, TwoThatFailTogetherTakeOneStepOfTheLadder) {
  add_upstream("office", {1, 3});
  add_rule("*", {"office"});
  start();
  expect(3, greeting() + taken());
  expect(3, greeting() + taken());
  queue->on_due([](queue::Shipment&) {});  // until both are there
  const MessageId first = commit(text);
  const MessageId second = commit(text);
  settle_down();
  dispatcher->dispatch(shipment(first));
  change_lanes([](LaneEntry& lane) { lane.site.opening = send::Opening({}, {}); });  // another one is cheap
  dispatcher->dispatch(shipment(second));
  queue->on_due([this](queue::Shipment& due) { dispatcher->dispatch(due); });
  const SteadyTime start_of_attempts = loop.now();
  run_until_attempts(4);
  EXPECT_EQ(loop.now(), start_of_attempts);
  EXPECT_TRUE(gone(first));
  EXPECT_TRUE(gone(second));
  EXPECT_THAT(dialer.ports, ElementsAre(1, 1, 3, 3));
}

TEST_F(DispatcherTest, AnAccountThatIsIdleDelaysNoOther) {
  add_upstream("office", {1}).limits.connections_total = 1;
  add_rule("a@example.org", {"office"});
  config::SenderRule& rule = add_rule("*", {"office"});
  rule.username = "other";
  rule.password.kind = config::SecretSource::Kind::literal;
  rule.password.literal = Secret("secret");
  start();
  expect(1, greeting() + taken());
  commit(text);
  run_until_attempts(1);
  queue::Envelope other;
  other.sender = other.routing_sender = "z@example.org";
  other.recipients.push_back({"b@example.org", "", ""});
  run_task(commit_task(text, other), &loop);
  settle_down();
  EXPECT_EQ(dials(), 2U);
}

// --- the end of a message ---

TEST_F(DispatcherTest, AMessageIsGivenUpAfterItsLifetime) {
  config->queue.lifetime = 10min;
  start_office();
  const MessageId id = commit(text);
  run_until_attempts(1);
  while (message(id).state == MessageState::waiting && loop.now() < SteadyTime(3h)) advance(30s);
  EXPECT_EQ(message(id).state, MessageState::failed);
  EXPECT_LE(loop.wall_now() - message(id).accepted, 11min);
  EXPECT_GE(loop.wall_now() - message(id).accepted, 10min);
  EXPECT_THAT(look(id).states, ElementsAre(RecipientState::failed));
  const std::size_t before = dials();
  advance(24h);
  EXPECT_EQ(dials(), before);
}

TEST_F(DispatcherTest, ARuleThatRejectsSendsNothing) {
  add_upstream("office", {1});
  add_rule("*", {}).reject = "550 5.7.1 Not from here";
  start();
  const MessageId id = commit(text);
  loop.run_until([&] { return message(id).state == MessageState::failed; });
  EXPECT_THAT(dialer.ports, IsEmpty());
}

TEST_F(DispatcherTest, WithoutARuleAMessageWaits) {
  add_upstream("office", {1});
  add_rule("@example.com", {"office"});
  start();
  const MessageId id = commit(text);
  loop.run_until([&] { return shipment(id).attempts == 1; });
  settle_down();
  EXPECT_EQ(message(id).state, MessageState::waiting);
  EXPECT_EQ(shipment(id).due - loop.now(), 60s);
  EXPECT_THAT(dialer.ports, IsEmpty());
}

TEST_F(DispatcherTest, AStopGivesBackWhatWasNotTried) {
  start_office();
  dispatcher->shut_down();
  const MessageId id = commit(text);
  settle_down();
  EXPECT_EQ(message(id).state, MessageState::waiting);
  EXPECT_EQ(shipment(id).attempts, 0U);
  EXPECT_THAT(dialer.ports, IsEmpty());
}

// --- a reload while an attempt is under way ---

TEST_F(DispatcherTest, StagingHoldsForWhatWasWaitingForItsConnection) {
  start_office();
  expect(1, "PAUSE 60s\n" + greeting());
  expect(1, greeting() +
                "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<test@example.org>\n C: DATA\n"
                "S: 250 Ok\n S: 250 Ok\n S: 354 Go\n"
                "C: X-Original-To: b@example.org\n C: text\n C: .\n S: 250 Ok\n");
  const MessageId id = commit(text);
  loop.run_until([&] { return dials() == 1 && busy() == 1; });
  loop.advance(30s);
  settle_down();
  config->staging =
      config::Staging{.redirect = "test@example.org", .allow = {}, .subject_prefix = "", .where = {}};
  reload();
  loop.advance(30s);
  run_until_attempts(1);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org 250 Ok"));
  EXPECT_TRUE(gone(id));
  for (const auto& peer : peers) EXPECT_EQ(peer->written().find("RCPT TO:<b@"), std::string::npos);
  EXPECT_EQ(complaints(), "");
}

// --- a login that is gone ---

constexpr const char* log_in_first =
    "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
    "S: 530 5.7.0 Log in\n S: 503 No\n S: 503 No\n";

TEST_F(DispatcherTest, AWarmConnectionThatLostItsLoginIsNoAttempt) {
  start_office();
  expect(1, greeting() + taken() + log_in_first);
  commit(text);
  run_until_attempts(1);
  expect(1, greeting() + taken());
  commit(text);
  run_until_attempts(2);
  EXPECT_THAT(attempts, ElementsAre("office b@example.org 250 Ok", "office b@example.org 250 Ok"));
  EXPECT_EQ(dials(), 2U);
  EXPECT_EQ(complaints(), "");
}

TEST_F(DispatcherTest, ANewConnectionThatWantsALoginPausesTheLane) {
  start_office();
  expect(1, greeting() + log_in_first);
  const MessageId id = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(message(id).state, MessageState::waiting);
  EXPECT_EQ(dials(), 1U);
  EXPECT_EQ(complaints(), "");
}

}  // namespace
}  // namespace relayd
