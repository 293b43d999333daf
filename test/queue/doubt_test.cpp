// What the queue keeps of an attempt whose end was not heard.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
    queue->on_due([](Message&) {});
    loop.run();
  }
};

TEST_F(QueueDoubtTest, DoubtSurvivesARestartAndEndsWithTheNextOutcome) {
  const MessageId id = commit("1\r\n");
  doubt(id);
  reopen();
  EXPECT_EQ(recovery.in_doubt.size(), 1U);
  EXPECT_EQ(queue->totals().in_doubt, 1U);
  EXPECT_TRUE(message(id).in_doubt);
  EXPECT_EQ(message(id).doubted, "mailgun");
  EXPECT_THAT(read(id).states, ElementsAre(doubtful));
  settle(id, {pending});
  EXPECT_FALSE(message(id).in_doubt);
  EXPECT_EQ(message(id).doubts, 0);
  reopen();
  EXPECT_THAT(recovery.in_doubt, testing::IsEmpty());
}

TEST_F(QueueDoubtTest, DoubtCountsAsAnAttemptAndWaitsForItsTime) {
  const MessageId id = commit("1\r\n");
  for (int crash = 1; crash <= 3; ++crash) {
    take_due();
    doubt(id);
    reopen();
    EXPECT_EQ(message(id).attempts, crash);
    EXPECT_EQ(message(id).doubts, crash);
    EXPECT_EQ(message(id).due, loop.now() + 1h);
    loop.advance(1h);
  }
  doubt(id, "another");
  EXPECT_EQ(message(id).doubts, 1);
  // With its outcome it is one attempt.
  settle(id, {pending});
  EXPECT_EQ(message(id).attempts, 4);
}

TEST_F(QueueDoubtTest, DoubtCoversTheRecipientsThatWereOffered) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org", "c@example.org"});
  doubt(id, "office", {0, 2});
  for (int life = 0; life < 2; ++life) {
    EXPECT_THAT(read(id).states, ElementsAre(doubtful, pending, doubtful));
    EXPECT_EQ(message(id).pending, 3U);
    reopen();
  }
  settle(id, {delivered, pending, doubtful});
  reopen();
  EXPECT_THAT(read(id).states, ElementsAre(delivered, pending, doubtful));
  EXPECT_EQ(message(id).doubted, "office");
  EXPECT_EQ(message(id).doubts, 1);
}

TEST_F(QueueDoubtTest, AnOperatorEndsADoubt) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org"});
  doubt(id, "mailgun", {0, 1});
  reopen();
  queue->hold(message(id));
  queue->not_taken(message(id));
  flush();
  for (int life = 0; life < 2; ++life) {
    EXPECT_FALSE(message(id).in_doubt);
    EXPECT_EQ(message(id).doubts, 0);
    EXPECT_EQ(message(id).state, MessageState::waiting);
    EXPECT_EQ(message(id).due, loop.now());
    EXPECT_THAT(read(id).states, ElementsAre(pending, pending));
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
  queue->settle(message(id), outcome);
  for (int life = 0; life < 2; ++life) {
    EXPECT_TRUE(message(id).in_doubt);
    EXPECT_EQ(message(id).doubted, "sendgrid");
    reopen();
  }
}

}  // namespace
}  // namespace relayd::queue
