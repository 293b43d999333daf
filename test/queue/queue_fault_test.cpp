// What the queue does when the disk is full, fails or lies, on a disk in memory that can do so on demand.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

#include "queue/queue_on_forgetting_disk.hpp"

namespace relayd::queue {
namespace {

using test::run_task;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto delivered = RecipientState::delivered;

using QueueFaultTest = QueueOnForgettingDisk;

// --- full, failing ---

TEST_F(QueueFaultTest, BelowTheReserveMailIsRefusedAndFactsAreStillWritten) {
  const MessageId id = commit("1\r\n");
  options.reserve = 256_MiB;
  memory.set_free_space(255_MiB);
  reopen();
  EXPECT_EQ(refusal(), QueueError::Kind::full);
  EXPECT_EQ(refusal(std::string(100'000, 'x')), QueueError::Kind::full);
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("mail is refused: free space is below the reserve")));
  settle(id, {delivered});
  memory.set_free_space(256_MiB);
  EXPECT_EQ(refusal(), std::nullopt);
  reopen();
  EXPECT_EQ(queue->find(id), nullptr);
  EXPECT_EQ(recovery.messages, 1U);
}

TEST_F(QueueFaultTest, BelowTheReserveALargeDraftStopsEarly) {
  options.reserve = 256_MiB;
  memory.set_free_space(255_MiB);
  reopen();
  Draft draft = queue->draft();
  EXPECT_TRUE(draft.append(std::string(100'000, 'x')));
  try {
    run_task(draft.flush(), &loop);
    FAIL();
  } catch (const QueueError& error) {
    EXPECT_EQ(error.kind(), QueueError::Kind::full);
  }
}

TEST_F(QueueFaultTest, AFailedSyncRefusesTheMessageAndTheNextOneIsTaken) {
  arm(2, ForgettingDisk::Fault::fails_once, EIO);
  EXPECT_EQ(refusal("refused\r\n"), QueueError::Kind::failed);
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("message log")));
  const MessageId id = commit("taken\r\n");
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_EQ(read(id).body, "taken\r\n");
}

TEST_F(QueueFaultTest, ARefusedLargeMessageLeavesNoFile) {
  // create, two writes, sync, sync of the directory; then the write of the journal
  arm(6, ForgettingDisk::Fault::fails_once, EIO);
  EXPECT_EQ(refusal(std::string(70'000, 'x')), QueueError::Kind::failed);
  flush();
  for (const auto& [path, size] : memory.sizes()) EXPECT_THAT(path, Not(testing::StartsWith("large/")));
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("message log")));
}

TEST_F(QueueFaultTest, AFullDiskIsSaidToBeFull) {
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) {
    arm(1, ForgettingDisk::Fault::fails_once, error);
    EXPECT_EQ(refusal(), QueueError::Kind::full);
    arm(1, ForgettingDisk::Fault::fails_once, error);
    EXPECT_EQ(refusal(std::string(100'000, 'x')), QueueError::Kind::full);
  }
}

TEST_F(QueueFaultTest, ADiskThatFailsForAWhileRefusesAtOnceAndRecoversByItself) {
  const MessageId first = commit("1\r\n");
  const MessageId second = commit("2\r\n");
  arm(1, ForgettingDisk::Fault::fails_on, ENOSPC);
  EXPECT_EQ(refusal(), QueueError::Kind::full);
  EXPECT_EQ(refusal(), QueueError::Kind::full);
  Outcome outcome;
  outcome.recipients = {{0, delivered, 250, "2.0.0 ok"}};
  queue->settle(shipment(first), outcome);
  EXPECT_EQ(queue->find(first), nullptr);
  memory.heal();
  flush();
  while (refusal()) std::this_thread::yield();  // for a second at most it is not tried again
  reopen();
  EXPECT_EQ(queue->find(first), nullptr);
  EXPECT_TRUE(queue->find(second));
  EXPECT_EQ(recovery.messages, 2U);
}

TEST_F(QueueFaultTest, ADiskThatFailsIsAnAlarmAndNotOneForEachClient) {
  commit("1\r\n");
  arm(1, ForgettingDisk::Fault::fails_on, ENOSPC);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(refusal(), QueueError::Kind::full);
  EXPECT_EQ(refusal(std::string(100'000, 'x')), QueueError::Kind::full);
  loop.run();
  EXPECT_THAT(troubles,
              ElementsAre(HasSubstr("cannot write"), HasSubstr("a fresh segment of the message log")));
  loop.advance(std::chrono::minutes(1));
  EXPECT_EQ(refusal(), QueueError::Kind::full);
  EXPECT_EQ(troubles.size(), 3U);
  EXPECT_EQ(queue->totals().troubles, 3U);
  EXPECT_THAT(troubles.back(), HasSubstr("mail is refused"));
}

TEST_F(QueueFaultTest, ADiskThatFailsAgainIsAnotherAlarm) {
  for (int round = 1; round <= 2; ++round) {
    arm(1, ForgettingDisk::Fault::fails_once, EIO);
    EXPECT_EQ(refusal(), QueueError::Kind::failed);
    EXPECT_EQ(refusal(), std::nullopt);
    EXPECT_EQ(std::count_if(troubles.begin(), troubles.end(),
                            [](const std::string& text) { return text.starts_with("cannot write"); }),
              round);
  }
}

TEST_F(QueueFaultTest, FilesThatNothingDurableWasWrittenToAreUsedAgain) {
  const MessageId id = commit("1\r\n");
  settle_down();
  const std::size_t files = segments().size();
  for (int i = 0; i < 20; ++i) {
    arm(1, ForgettingDisk::Fault::fails_once, EIO);  // the write; a fresh segment can be had
    EXPECT_EQ(refusal(), QueueError::Kind::failed);
  }
  queue->retry(message(id));
  settle_down();
  EXPECT_LE(segments().size(), files + 2);
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_THAT(recovery.set_aside, IsEmpty());
}

TEST_F(QueueFaultTest, ManyCommitsShareOneSync) {
  Envelope envelope;
  envelope.recipients = {{"b@example.org", "", ""}};
  std::vector<async::Task<MessageId>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(commit_task("x\r\n", envelope));
  settle_down();
  const std::size_t before = memory.calls();
  for (async::Task<MessageId>& client : clients) client.start();
  for (async::Task<MessageId>& client : clients) loop.run_until([&] { return client.done(); });
  EXPECT_EQ(queue->totals().waiting, 200U);
  // The records, their sync, and perhaps some files for what will become of them.
  EXPECT_LE(memory.calls() - before, 20U);
}

TEST_F(QueueFaultTest, WhatIsPendingIsWrittenBeforeTheQueueGoes) {
  const MessageId id = commit("1\r\n");
  Outcome outcome;
  outcome.recipients = {{0, delivered, 250, "2.0.0 ok"}};
  queue->settle(shipment(id), outcome);
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
}

TEST_F(QueueFaultTest, AMessageThatIsNotCachedIsReadByAWorker) {
  const MessageId id = commit("1\r\n");
  memory.set_cached(false);
  EXPECT_EQ(read(id).body, "1\r\n");
}

TEST_F(QueueFaultTest, AMessageThatCannotBeReadNowWaitsAndIsReadLater) {
  std::vector<MessageId> due;
  queue->on_due([&](Shipment& message) { due.push_back(message.id.message()); });
  for (const std::size_t size : {10U, 100'000U}) {
    const MessageId id = commit(std::string(size, 'x'));
    loop.run();
    ASSERT_EQ(due.back(), id);
    due.clear();
    memory.set_cached(false);
    memory.fail_reads(EIO);
    EXPECT_THROW(read(id), QueueError);
    EXPECT_EQ(message(id).state, MessageState::waiting);
    memory.fail_reads(0);
    loop.advance(std::chrono::minutes(1));
    ASSERT_THAT(due, ElementsAre(id));
    EXPECT_EQ(read(id).body, std::string(size, 'x'));
    settle(id, {delivered});
  }
  EXPECT_THAT(quarantined(), IsEmpty());
}

// --- damage ---

TEST_F(QueueFaultTest, ADamagedMessageIsNeverSentButHeldAndSetAside) {
  const MessageId id = commit("1\r\n");
  memory.damage(file_of(id), segment_start + message_head);
  EXPECT_THROW(read(id), QueueError);
  EXPECT_EQ(message(id).state, MessageState::held);
  EXPECT_THAT(quarantined(), ElementsAre("quarantine/" + to_string(id) + "-message"));
  EXPECT_THAT(troubles, ElementsAre(HasSubstr(to_string(id))));
}

TEST_F(QueueFaultTest, AMessageThatCannotBeReadForGoodIsHeldAndSetAside) {
  const MessageId id = commit("1\r\n");
  memory.set_cached(false);
  memory.fail_reads(file_of(id), segment_start + 70, segment_start + 71);
  queue->on_due([](Shipment&) {});
  for (int i = 0; i < 2; ++i) {
    loop.advance(std::chrono::seconds(10));
    EXPECT_THROW(read(id), QueueError);
    EXPECT_EQ(message(id).state, MessageState::waiting);
  }
  loop.advance(std::chrono::seconds(10));
  EXPECT_THROW(read(id), QueueError);
  EXPECT_EQ(message(id).state, MessageState::held);
  EXPECT_THAT(quarantined(), ElementsAre("quarantine/" + to_string(id) + "-message"));
  // The disk came to its senses.
  memory.heal_reads();
  queue->retry(message(id));
  EXPECT_EQ(read(id).body, "1\r\n");
}

// One with a successor, and one without: the checkpoint of an orderly end knows of both.

}  // namespace
}  // namespace relayd::queue
