// Lines and health, by a whole dispatcher: what waits, for whom, and when a lane takes it.
#include "relay/lines.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "relay/dispatcher_fixture.hpp"

namespace relayd {
namespace {

using namespace std::chrono_literals;
using queue::MessageId;
using queue::MessageState;
using testing::ElementsAre;

constexpr const char* text = "text\r\n";

class LinesTest : public test::DispatcherFixture {
 protected:
  void start_office() {
    add_upstream("office", {1});
    add_rule("*", {"office"});
    start();
  }
  bool gone(MessageId id) { return queue->find(id) == nullptr; }
};

TEST_F(LinesTest, ALaneInTroublePausesAndKnocks) {
  start_office();
  const MessageId first = commit(text);
  run_until_attempts(1);
  EXPECT_EQ(shipment(first).attempts, 1U);
  // Others wait for the lane, without an attempt of their own.
  const MessageId second = commit(text);
  settle_down();
  EXPECT_EQ(shipment(second).attempts, 0U);
  EXPECT_EQ(dials(), 1U);
  // It is tried without any of them; the pause that follows is longer, a minute at most.
  std::vector<Duration> pauses;
  for (std::size_t knocks = 1; knocks <= 7; ++knocks) {
    const SteadyTime before = loop.now();
    while (dials() == knocks) advance(1s);
    pauses.push_back(loop.now() - before);
  }
  EXPECT_THAT(pauses, ElementsAre(5s, 10s, 20s, 40s, 60s, 60s, 60s));
  EXPECT_EQ(shipment(first).attempts, 1U);
  EXPECT_EQ(shipment(second).attempts, 0U);
  // It works again: they follow at once, on the connection that was let in.
  expect(1, greeting() + taken() + taken());
  advance(60s);
  run_until_attempts(3);
  EXPECT_TRUE(gone(first));
  EXPECT_TRUE(gone(second));
  EXPECT_EQ(complaints(), "");
}

TEST_F(LinesTest, WhatIsDeletedOrHeldInALineIsNotSent) {
  add_upstream("office", {1}).limits.rate = std::vector<config::Rate>{{1, 1min}};
  add_rule("*", {"office"});
  start();
  expect(1, greeting() + taken());
  const MessageId first = commit(text), deleted = commit(text), held = commit(text), last = commit(text);
  run_until_attempts(1);
  EXPECT_TRUE(gone(first));
  EXPECT_EQ(message(last).state, MessageState::waiting);
  queue->remove(message(deleted));
  queue->hold(message(held));
  expect(1, greeting() + taken());
  advance(1min);
  run_until_attempts(2);
  EXPECT_TRUE(gone(last));
  EXPECT_EQ(message(held).state, MessageState::held);
  // Once it is released it waits as it did.
  queue->retry(message(held));
  expect(1, greeting() + taken());
  advance(1min);
  run_until_attempts(3);
  EXPECT_TRUE(gone(held));
  EXPECT_EQ(complaints(), "");
}

TEST_F(LinesTest, WhatWaitsInALineTakesTheWayOfANewConfiguration) {
  start_office();
  const MessageId id = commit(text);
  run_until_attempts(1);
  config = std::make_shared<config::Config>();
  config->hostname = "relay.example.com";
  add_upstream("backup", {2});
  add_rule("*", {"backup"});
  expect(2, greeting() + taken());
  reload();
  run_until_attempts(2);
  EXPECT_TRUE(gone(id));
  EXPECT_EQ(attempts.back(), "backup b@example.org 250 Ok");
}

// What went to the second upstream while the first was away is not bound to it.
TEST_F(LinesTest, MailFlowsBackToAnEarlierUpstream) {
  add_upstream("office", {1});
  add_upstream("backup", {2}).limits.quota = std::vector<config::Quota>{{1, config::Quota::Period::month}};
  add_rule("*", {"office", "backup"});
  start();
  expect(2, greeting() + taken());
  const MessageId first = commit(text);
  run_until_attempts(2);
  EXPECT_TRUE(gone(first));
  const MessageId second = commit(text);  // backup's month is over
  settle_down();
  EXPECT_EQ(attempts.size(), 2U);
  expect(1, greeting() + taken());
  advance(5s);
  run_until_attempts(3);
  EXPECT_TRUE(gone(second));
  EXPECT_EQ(attempts.back(), "office b@example.org 250 Ok");
}

TEST_F(LinesTest, AStartKnowsThatWhatWaitedForALaneIsDue) {
  start_office();
  const MessageId id = commit(text);
  run_until_attempts(1);
  dispatcher->shut_down();
  run_task(dispatcher->drained(), &loop);
  dispatcher.reset();
  reopen();
  start();
  expect(1, greeting() + taken());
  run_until_attempts(2);
  EXPECT_TRUE(gone(id));
}

// Each of three that were let in was sent away behind MAIL.
TEST_F(LinesTest, AnUpstreamThatEndsOneSessionAfterAnotherIsLeftAlone) {
  start_office();
  for (int i = 0; i < 10; ++i)
    expect(1, greeting() +
                  "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
                  "S: 421 4.7.0 Try again later\n CLOSE\n");
  for (int i = 0; i < 20; ++i) commit(text);
  settle_down();
  EXPECT_LE(dials(), 12U);
  EXPECT_EQ(queue->totals().waiting, 20U);
}

// Its words are about the account, though no message of it was heard.
TEST_F(LinesTest, AWarmConnectionThatEndsWithAReasonIsHeard) {
  start_office();
  const std::string farewell =
      "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
      "S: 421 4.7.0 Rate limit exceeded\n CLOSE\n";
  expect(1, greeting() + taken() + farewell);
  commit(text);
  run_until_attempts(1);
  const MessageId second = commit(text);
  settle_down();
  EXPECT_EQ(dials(), 1U);
  EXPECT_THAT(attempts.back(), testing::HasSubstr("Rate limit exceeded"));
  expect(1, greeting() + taken());
  advance(1min);
  EXPECT_TRUE(gone(second));
}

TEST_F(LinesTest, AWarmConnectionThatWasIdleForTooLongIsReplaced) {
  start_office();
  const std::string farewell =
      "C: MAIL FROM:<a@example.org>\n C: RCPT TO:<b@example.org>\n C: DATA\n"
      "S: 421 4.4.2 Idle for too long\n CLOSE\n";
  expect(1, greeting() + taken() + farewell);
  expect(1, greeting() + taken());
  commit(text);
  run_until_attempts(1);
  const MessageId second = commit(text);
  run_until_attempts(2);
  EXPECT_TRUE(gone(second));
}

// A month that the clock jumps ends what waits for a lane, at the next knock.
TEST_F(LinesTest, AClockThatIsSetAheadEndsWhatWaits) {
  start_office();
  const MessageId id = commit(text);
  run_until_attempts(1);
  loop.set_wall(loop.wall_now() + std::chrono::days(30));
  advance(5s);
  EXPECT_EQ(message(id).state, MessageState::failed);
}

// What was deleted leaves nothing behind that is knocked for.
TEST_F(LinesTest, NobodyKnocksForWhatHasGone) {
  start_office();
  const MessageId id = commit(text);
  run_until_attempts(1);
  queue->remove(message(id));
  advance(1h);
  EXPECT_EQ(dials(), 1U);
}

TEST_F(LinesTest, ALaneThatIsStoppedIsPassedOverUntilItMayGoOn) {
  add_upstream("office", {1});
  add_upstream("backup", {2});
  add_rule("*", {"office", "backup"});
  start();
  EXPECT_THAT(dispatcher->steer("office", "", true), ElementsAre(""));
  expect(2, greeting() + taken());
  const MessageId first = commit(text);
  run_until_attempts(1);
  EXPECT_TRUE(gone(first));
  EXPECT_THAT(dialer.ports, ElementsAre(2));
  dispatcher->steer("office", "", false);
  expect(1, greeting() + taken());
  const MessageId second = commit(text);
  run_until_attempts(2);
  EXPECT_TRUE(gone(second));
  EXPECT_THAT(dialer.ports, ElementsAre(2, 1));
  EXPECT_THAT(dispatcher->steer("nowhere", "", true), testing::IsEmpty());
}

// The line that it stood in may have dropped its id meanwhile.
TEST_F(LinesTest, WhatExpiredInALineIsSentAfterARetry) {
  start_office();
  const MessageId old = commit(text);
  settle_down();
  for (int i = 0; i < 10'000 && given_up.empty(); ++i) advance(10min);
  ASSERT_EQ(message(old).state, MessageState::failed);
  expect(1, greeting() + taken());
  const MessageId fresh = commit(text);  // finds office open again
  for (int i = 0; i < 20 && !gone(fresh); ++i) advance(30s);
  ASSERT_TRUE(gone(fresh));
  expect(1, greeting() + taken());
  queue->retry(message(old));
  for (int i = 0; i < 20 && !gone(old); ++i) advance(30s);
  EXPECT_TRUE(gone(old));
}

}  // namespace
}  // namespace relayd
