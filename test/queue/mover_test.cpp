// Messages that move together, and old state that goes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "queue/queue_on_forgetting_disk.hpp"

namespace relayd::queue {
namespace {

using test::run_task;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;

class MoverTest : public QueueOnForgettingDisk {
 protected:
  void SetUp() override {
    QueueOnForgettingDisk::SetUp();
    options.segment_size = 64_KiB;
    renew();
  }
  // Until what was there before stands in other segments, of both logs.
  void churn() {
    for (int i = 0; i < 8; ++i) {
      const MessageId goes = commit(std::string(50'000, 'x'));
      scattered.push_back(commit(std::string(2'000, 'y')));
      end(goes);
    }
    for (int i = 0; i < 600; ++i) defer(scattered.back());
    settle_down();
    for (const MessageId id : std::exchange(scattered, {})) end(id);
    settle_down();
  }
  void end(MessageId id) {
    Outcome outcome;
    outcome.recipients = {{0, delivered, 250, "2.0.0 ok"}};
    queue->settle(shipment(id), outcome);
  }
  void defer(MessageId id) {
    Outcome outcome;
    outcome.recipients = {{0, pending, 450, std::string(100, 'z')}};
    queue->settle(shipment(id), outcome);
  }

  std::vector<MessageId> scattered;
};

TEST_F(MoverTest, AMessageKeepsAllOfItsStateWhenItMoves) {
  const MessageId id = commit("kept\r\n");
  const std::string file = file_of(id);
  const std::uint64_t before = header_of(file)->sequence;
  settle(id, {pending});
  doubt(id);
  for (int round = 0; round < 3; ++round) churn();
  EXPECT_NE(entry_of(message(id)).where.segment, before);
  reopen();
  EXPECT_EQ(shipment(id).attempts, 2);
  EXPECT_TRUE(shipment(id).in_doubt());
  EXPECT_EQ(shipment(id).due, loop.now() + std::chrono::hours(1));
  EXPECT_EQ(read(id).body, "kept\r\n");
  const std::vector<HistoryEvent> events = run_task(queue->history(message(id)), &loop);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0].kind, HistoryEvent::Kind::earlier);
  EXPECT_EQ(events[0].outcome.host, "mx.example.net:587");
  EXPECT_EQ(events[0].outcome.recipients[0].text, "4.2.0 later");
}

TEST_F(MoverTest, AHeldAndAFailedMessageStaySo) {
  const MessageId held = commit("held\r\n");
  queue->hold(message(held));
  const MessageId dead = commit("failed\r\n");
  settle(dead, {RecipientState::failed});
  for (int round = 0; round < 3; ++round) churn();
  reopen();
  EXPECT_EQ(message(held).state, MessageState::held);
  EXPECT_EQ(message(dead).state, MessageState::failed);
}

TEST_F(MoverTest, ALargeBodyStaysWhereItIs) {
  const MessageId id = commit(std::string(100'000, 'y'));
  for (int round = 0; round < 3; ++round) churn();
  reopen();
  EXPECT_EQ(read(id).body, std::string(100'000, 'y'));
}

// What is deleted while somebody has it was seen to live again, once its segment had gone.
TEST_F(MoverTest, AMessageThatIsDeletedWhileItIsOutStaysGone) {
  queue->on_due([](Shipment&) {});
  const MessageId id = commit("deleted\r\n");
  loop.run();
  ASSERT_EQ(message(id).state, MessageState::ready);
  queue->remove(message(id));
  queue->on_due({});
  for (int round = 0; round < 3; ++round) churn();
  reopen();
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(MoverTest, AMessageThatIsDamagedIsHeldSetAsideAndNeverTriedAgain) {
  const MessageId id = commit("kept\r\n");
  memory.damage(file_of(id), segment_start + message_head);
  for (int round = 0; round < 3; ++round) churn();
  EXPECT_EQ(message(id).state, MessageState::held);
  EXPECT_THAT(quarantined(), ElementsAre("quarantine/" + to_string(id) + "-message"));
  EXPECT_THAT(troubles, ElementsAre(HasSubstr(to_string(id))));
  queue->remove(message(id));
  settle_down();
  reopen();
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(MoverTest, AFailedMessageThatIsDamagedStaysFailed) {
  const MessageId id = commit("kept\r\n");
  settle(id, {RecipientState::failed});
  memory.damage(file_of(id), segment_start + message_head);
  for (int round = 0; round < 3; ++round) churn();
  EXPECT_THAT(quarantined(), ElementsAre("quarantine/" + to_string(id) + "-message"));
  reopen();
  EXPECT_EQ(message(id).state, MessageState::failed);
}

TEST_F(MoverTest, AnUnreadableSectorKeepsOneFileAndNothingElse) {
  const MessageId id = commit("unreadable\r\n");
  const MessageId beside = commit(std::string(500, 'z'));
  const std::string segment = file_of(id);
  memory.fail_reads(segment, segment_start + 80, segment_start + 81);
  for (int round = 0; round < 3; ++round) churn();
  EXPECT_EQ(message(id).state, MessageState::waiting);  // the disk may come back before it is due
  EXPECT_THAT(troubles, IsEmpty());
  EXPECT_EQ(read(beside).body, std::string(500, 'z'));
  EXPECT_NE(file_of(beside), segment);
  memory.heal_reads();
  EXPECT_EQ(read(id).body, "unreadable\r\n");
  reopen();
  EXPECT_EQ(read(beside).body, std::string(500, 'z'));
}

}  // namespace
}  // namespace relayd::queue
