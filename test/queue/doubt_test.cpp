// What the queue keeps of an attempt whose end was not heard.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "queue/index.hpp"
#include "queue/queue.hpp"
#include "queue/queue_fixture.hpp"

namespace relayd::queue {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto doubtful = RecipientState::doubtful;

class QueueDoubtTest : public test::QueueFixture {
 protected:
  // Lets the queue hand out what is due.
  void take_due() {
    queue->on_due([](Shipment&) {});
    loop.run();
    queue->on_due({});
  }
  Shipment& shipment_of(MessageId id, std::uint32_t recipient) {
    return entry_of(message(id)).shipment_of(recipient);
  }
  int attempts_of(MessageId id, std::uint32_t recipient) { return shipment_of(id, recipient).attempts; }
};

TEST_F(QueueDoubtTest, DoubtSurvivesARestartAndEndsWithTheNextOutcome) {
  const MessageId id = commit("1\r\n");
  doubt(id);
  reopen();
  EXPECT_EQ(recovery.in_doubt.size(), 1U);
  EXPECT_EQ(queue->totals().in_doubt, 1U);
  EXPECT_TRUE(shipment(id).in_doubt());
  EXPECT_EQ(shipment(id).doubted, "mailgun");
  EXPECT_THAT(look(id).states, ElementsAre(doubtful));
  settle(id, {pending});
  EXPECT_FALSE(shipment(id).in_doubt());
  EXPECT_EQ(shipment(id).doubts, 0);
  reopen();
  EXPECT_THAT(recovery.in_doubt, testing::IsEmpty());
}

TEST_F(QueueDoubtTest, DoubtCountsAsAnAttemptAndWaitsForItsTime) {
  const MessageId id = commit("1\r\n");
  for (int crash = 1; crash <= 3; ++crash) {
    take_due();
    doubt(id);
    reopen();
    EXPECT_EQ(shipment(id).attempts, crash);
    EXPECT_EQ(shipment(id).doubts, crash);
    EXPECT_EQ(shipment(id).due, loop.now() + 1h);
    loop.advance(1h);
  }
  doubt(id, "another");
  EXPECT_EQ(shipment(id).doubts, 1);
  // With its outcome it is one attempt.
  settle(id, {pending});
  EXPECT_EQ(shipment(id).attempts, 4);
}

TEST_F(QueueDoubtTest, DoubtCoversTheRecipientsThatWereOffered) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org", "c@example.org"});
  take_due();
  doubt(id, "office", {0, 2});
  for (int life = 0; life < 2; ++life) {
    EXPECT_THAT(look(id).states, ElementsAre(doubtful, pending, doubtful));
    EXPECT_EQ(message(id).unsent(), 3U);
    reopen();
  }
  EXPECT_EQ(attempts_of(id, 0), 1);
  EXPECT_EQ(attempts_of(id, 1), 0);
}

TEST_F(QueueDoubtTest, AHoldOfThoseInDoubtLeavesTheOthers) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org"});
  take_due();
  doubt(id, "office", {0});
  settle(id, {doubtful, pending});
  queue->hold(shipment_of(id, 0));
  flush();
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(shipment_of(id, 0).state, MessageState::held);
    EXPECT_EQ(shipment_of(id, 1).state, MessageState::waiting);
    EXPECT_EQ(shipment_of(id, 1).due, loop.now() + 1h);
    reopen();
  }
}

TEST_F(QueueDoubtTest, WhatIsHeldInDoubtIsCountedUntilItIsNot) {
  const MessageId one = commit("1\r\n", {"a@example.org", "b@example.org"}), two = commit("2\r\n");
  take_due();
  for (const MessageId id : {one, two}) {
    doubt(id, "office", {0});
    if (id == one)
      settle(id, {doubtful, pending});
    else
      settle(id, {doubtful});
  }
  EXPECT_EQ(queue->totals().held_in_doubt, 0U);
  queue->hold(message(one));
  queue->hold(message(two));
  flush();
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(queue->totals().held, 2U);
    EXPECT_EQ(queue->totals().held_in_doubt, 2U);
    reopen();
  }
  queue->not_taken(message(one));
  EXPECT_EQ(queue->totals().held_in_doubt, 1U);
  queue->hold(message(one));
  EXPECT_EQ(queue->totals().held_in_doubt, 1U);
  queue->remove(message(two));
  flush();
  EXPECT_EQ(queue->totals().held_in_doubt, 0U);
}

// Nobody knows what has come of it: those who were announced are in doubt, and the others have had no
// attempt.
TEST_F(QueueDoubtTest, WhatIsGivenBackAfterItsDoubtIsParted) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org"});
  take_due();
  doubt(id, "office", {0});
  queue->release(shipment(id), loop.now() + 1min);
  for (int life = 0; life < 2; ++life) {
    EXPECT_TRUE(shipment_of(id, 0).in_doubt());
    EXPECT_FALSE(shipment_of(id, 1).in_doubt());
    EXPECT_EQ(attempts_of(id, 0), 1);
    EXPECT_EQ(attempts_of(id, 1), 0);
    reopen();
  }
}

TEST_F(QueueDoubtTest, NothingOfADeletedMessageIsHandedOutWhileAShipmentOfItIsReady) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org"});
  take_due();
  doubt(id, "office", {0});
  settle(id, {doubtful, pending});
  ASSERT_TRUE(queue->take(shipment_of(id, 1)));
  const ShipmentId ready = shipment_of(id, 1).id;
  queue->remove(message(id));
  std::size_t handed_out = 0;
  queue->on_due([&handed_out](Shipment&) { ++handed_out; });
  loop.advance(3h);
  EXPECT_EQ(handed_out, 0U);
  queue->release(*queue->find(ready), loop.now());
  loop.advance(3h);
  EXPECT_EQ(handed_out, 0U);
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(QueueDoubtTest, ARetryEndsTheHoldOfWhatIsReady) {
  const MessageId id = commit("1\r\n");
  take_due();
  queue->hold(message(id));
  queue->retry(message(id));
  queue->release(shipment(id), loop.now());
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(message(id).state, MessageState::waiting);
    reopen();
  }
}

// What the operator says of one that waits is not about another that is on its way.
TEST_F(QueueDoubtTest, AnOperatorEndsTheDoubtOfThoseThatWait) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org"});
  take_due();
  doubt(id, "office", {0});
  settle(id, {doubtful, pending});
  Shipment& other = shipment_of(id, 1);
  ASSERT_TRUE(queue->take(other));
  const std::uint32_t second[] = {1};
  run_task(queue->mark_in_doubt(other, "backup", second, loop.wall_now() + 1h), &loop);
  queue->not_taken(message(id));
  flush();
  for (int life = 0; life < 2; ++life) {
    EXPECT_THAT(look(id).states, ElementsAre(pending, doubtful));
    EXPECT_EQ(shipment_of(id, 1).doubted, "backup");
    reopen();
  }
}

TEST_F(QueueDoubtTest, AnOperatorEndsADoubt) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org"});
  doubt(id, "mailgun", {0, 1});
  reopen();
  queue->hold(message(id));
  queue->not_taken(message(id));
  flush();
  for (int life = 0; life < 2; ++life) {
    EXPECT_FALSE(shipment(id).in_doubt());
    EXPECT_EQ(shipment(id).doubts, 0);
    EXPECT_EQ(message(id).state, MessageState::waiting);
    EXPECT_EQ(shipment(id).due, loop.now());
    EXPECT_THAT(look(id).states, ElementsAre(pending, pending));
    reopen();
  }
}

TEST_F(QueueDoubtTest, AnAttemptWithoutAFinalReplyLeavesItsDoubt) {
  const MessageId id = commit("1\r\n");
  Outcome outcome;
  outcome.when = loop.wall_now();
  outcome.upstream = "sendgrid";
  outcome.recipients.push_back({0, doubtful, 0, "the connection broke"});
  outcome.next_attempt = loop.wall_now() + 1h;
  loop.advance(1s);
  queue->settle(shipment(id), outcome);
  for (int life = 0; life < 2; ++life) {
    EXPECT_TRUE(shipment(id).in_doubt());
    EXPECT_EQ(shipment(id).doubted, "sendgrid");
    reopen();
  }
}

}  // namespace
}  // namespace relayd::queue
