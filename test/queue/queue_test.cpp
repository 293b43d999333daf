#include "queue/queue.hpp"

#include <gtest/gtest.h>

#include "queue/queue_fixture.hpp"

namespace relayd::queue {
namespace {

using test::QueueFixture;

class QueueTest : public QueueFixture {};

TEST_F(QueueTest, AMessageIsThereAfterItsCommitAndAfterARestart) {
  const MessageId id = commit("Subject: a\r\n\r\nbody\r\n", {"b@example.org", "c@example.org"});
  EXPECT_EQ(queue->totals().waiting, 1U);
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_THAT(recovery.set_aside, testing::IsEmpty());
  Message* message = queue->find(id);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->state, MessageState::waiting);
  EXPECT_EQ(message->pending, 2U);
  EXPECT_EQ(message->routing_sender, "a@example.org");
  const Content content = read(id);
  EXPECT_EQ(content.body, "Subject: a\r\n\r\nbody\r\n");
  EXPECT_EQ(content.envelope.sender, "a@example.org");
  ASSERT_EQ(content.envelope.recipients.size(), 2U);
  EXPECT_EQ(content.envelope.recipients[1].address, "c@example.org");
}

TEST_F(QueueTest, ADeliveredMessageIsGoneForGood) {
  const MessageId id = commit("x\r\n", {"b@example.org"});
  settle(id, {RecipientState::delivered});
  EXPECT_EQ(queue->find(id), nullptr);
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
}

}  // namespace
}  // namespace relayd::queue
