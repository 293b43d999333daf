// What the queue does when the disk is full, fails or lies, on a disk in memory that can do so on demand.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"
#include "queue/index.hpp"
#include "queue/queue.hpp"
#include "queue/queue_fixture.hpp"
#include "queue/segment.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd::queue {
namespace {

using test::ForgettingDisk;
using test::QueueFixture;
using test::run_task;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;

class QueueFaultTest : public QueueFixture {
 protected:
  disk::Disk& fresh_disk() override { return memory; }

  // A call of the disk that is counted from here is not one of the queue's upkeep.
  void arm(std::size_t call, ForgettingDisk::Fault fault, int error) {
    rest();
    memory.arm(call, fault, error);
  }

  // A new queue on an empty disk.
  void renew() {
    queue.reset();
    loop.run();
    memory.~ForgettingDisk();
    new (&memory) ForgettingDisk();
    reopen();
  }

  // The kind of the refusal of a commit; nothing when it was taken.
  std::optional<QueueError::Kind> refusal(const std::string& body = "x\r\n") {
    try {
      commit(body);
      return std::nullopt;
    } catch (const QueueError& error) {
      return error.kind();
    }
  }

  // The file that a message stands in.
  std::string file_of(MessageId id) {
    const std::uint64_t wanted = static_cast<Entry&>(message(id)).where.segment;
    for (const std::string& path : segments())
      if (header_of(path) && header_of(path)->sequence == wanted) return path;
    throw std::runtime_error("no file has that message");
  }
  std::optional<SegmentHeader> header_of(const std::string& path) {
    const auto file = memory.open(path);
    std::string front(segment_start, '\0');
    file->read_at(0, front.data(), front.size());
    return decode_header(front).header;
  }
  std::vector<std::string> segments() const {
    std::vector<std::string> found;
    for (const auto& [path, size] : memory.sizes())
      if (path.ends_with(".journal")) found.push_back(path);
    return found;
  }

  std::vector<std::string> quarantined() const {
    std::vector<std::string> found;
    for (const auto& [path, size] : memory.sizes())
      if (path.starts_with("quarantine/")) found.push_back(path);
    return found;
  }

  ForgettingDisk memory;
};

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
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("journal")));
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
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("journal")));
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
  queue->settle(message(first), outcome);
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
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("cannot write"), HasSubstr("a fresh segment of the journal")));
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
  rest();
  const std::size_t files = segments().size();
  for (int i = 0; i < 20; ++i) {
    arm(1, ForgettingDisk::Fault::fails_once, EIO);  // the write; a fresh segment can be had
    EXPECT_EQ(refusal(), QueueError::Kind::failed);
  }
  queue->retry(message(id));
  rest();
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
  rest();
  const std::size_t before = memory.calls();
  for (async::Task<MessageId>& client : clients) client.start();
  for (async::Task<MessageId>& client : clients) loop.run_until([&] { return client.done(); });
  EXPECT_EQ(queue->totals().waiting, 200U);
  // The records, their sync, and perhaps a file for what will become of them.
  EXPECT_LE(memory.calls() - before, 8U);
}

TEST_F(QueueFaultTest, WhatIsPendingIsWrittenBeforeTheQueueGoes) {
  const MessageId id = commit("1\r\n");
  Outcome outcome;
  outcome.recipients = {{0, delivered, 250, "2.0.0 ok"}};
  queue->settle(message(id), outcome);
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
  queue->on_due([&](Message& message) { due.push_back(message.id); });
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
  queue->on_due([](Message&) {});
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

TEST_F(QueueFaultTest, EveryDamagedByteCostsOneRecordAndIsReported) {
  constexpr std::uint32_t record = 152;  // bytes of the first one
  for (std::uint32_t offset = 0; offset < record; ++offset) {
    SCOPED_TRACE(offset);
    renew();
    const MessageId first = commit("first\r\n");
    const MessageId second = commit("second\r\n");
    const std::string segment = file_of(first);
    queue.reset();
    memory.damage(segment, segment_start + offset);
    reopen();
    EXPECT_EQ(queue->find(first), nullptr);
    EXPECT_EQ(read(second).body, "second\r\n");
    EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("damaged")));
    if (offset > 24) EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr(to_string(first))));
    EXPECT_EQ(quarantined().size(), 1U);
  }
}

TEST_F(QueueFaultTest, ADamagedHeaderIsReadFromItsCopy) {
  const MessageId first = commit("1\r\n");
  const std::string damaged = file_of(first);
  queue.reset();
  memory.damage(damaged, 20);
  reopen();
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("header")));
  EXPECT_THAT(quarantined(), IsEmpty());
  EXPECT_EQ(read(first).body, "1\r\n");
}

TEST_F(QueueFaultTest, AHeaderDamagedTwiceSetsTheSegmentAside) {
  const std::string damaged = file_of(commit("1\r\n"));
  queue.reset();
  for (const std::size_t header : {0, 4096}) memory.damage(damaged, header + 20);
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("header"), HasSubstr("is missing")));
  EXPECT_EQ(quarantined().size(), 1U);
  EXPECT_EQ(refusal(), std::nullopt);
}

TEST_F(QueueFaultTest, ALargeBodyIsKeptWhenItsRecordIsDamaged) {
  const MessageId id = commit(std::string(100'000, 'x'));
  commit("another\r\n");
  const std::string segment = file_of(id);
  queue.reset();
  memory.damage(segment, segment_start + message_head);
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_THAT(quarantined(), testing::Contains("quarantine/" + to_string(id)));
}

TEST_F(QueueFaultTest, AMissingSegmentIsReportedAndItsMessagesAreNamed) {
  options.segment_size = 16_KiB;
  renew();
  std::vector<MessageId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(commit(std::string(7'000, 'x')));
  settle(ids[0], {pending});
  // Until every message has a summary.
  for (int i = 0; i < 800; ++i) settle(ids[5], {pending});
  rest();
  const std::string segment = "journal/0000000000000001.journal";
  queue.reset();
  memory.remove(segment);
  reopen();
  EXPECT_EQ(recovery.messages, ids.size());
  EXPECT_THAT(recovery.set_aside, testing::Contains(HasSubstr(to_string(ids[0]))));
  EXPECT_EQ(message(ids[0]).state, MessageState::held);
  EXPECT_EQ(message(ids[5]).state, MessageState::waiting);
}

// One with a successor, and one without: the checkpoint of an orderly end knows of both.
TEST_F(QueueFaultTest, AMissingSegmentOfWhichNothingElseIsKnownIsReported) {
  options.segment_size = 16_KiB;
  for (const std::size_t victim : {1U, 5U}) {
    SCOPED_TRACE(victim);
    renew();
    std::vector<MessageId> ids;
    for (int i = 0; i < 6; ++i) ids.push_back(commit(std::string(7'000, 'x')));
    const std::string segment = file_of(ids[victim]);
    queue.reset();
    memory.remove(segment);
    reopen();
    EXPECT_LT(recovery.messages, ids.size());
    EXPECT_THAT(recovery.set_aside, testing::Contains(HasSubstr("is missing")));
    reopen();
    EXPECT_THAT(recovery.set_aside, IsEmpty());  // it is told once
  }
}

TEST_F(QueueFaultTest, AJournalOfANewerVersionIsRefusedLoudly) {
  const std::string segment = file_of(commit("1\r\n"));
  queue.reset();
  const auto file = memory.open(segment);
  std::string header(64, '\0');
  file->read_at(0, header.data(), header.size());
  store(&header[8], format_version + 1);
  store(&header[56], checksum(std::string_view(header).substr(0, 56)));
  file->write_at(0, header);
  try {
    reopen();
    FAIL();
  } catch (const QueueError& error) {
    EXPECT_EQ(error.kind(), QueueError::Kind::broken);
    EXPECT_THAT(error.what(), HasSubstr("newer version"));
  }
  EXPECT_THAT(quarantined(), IsEmpty());
}

// --- moving, and old state that goes ---

class MoveTest : public QueueFaultTest {
 protected:
  void SetUp() override {
    QueueFaultTest::SetUp();
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
    rest();
    for (const MessageId id : std::exchange(scattered, {})) end(id);
    rest();
  }
  void end(MessageId id) {
    Outcome outcome;
    outcome.recipients = {{0, delivered, 250, "2.0.0 ok"}};
    queue->settle(message(id), outcome);
  }
  void defer(MessageId id) {
    Outcome outcome;
    outcome.recipients = {{0, pending, 450, std::string(100, 'z')}};
    queue->settle(message(id), outcome);
  }

  std::vector<MessageId> scattered;
};

TEST_F(MoveTest, AMessageKeepsAllOfItsStateWhenItMoves) {
  const MessageId id = commit("kept\r\n");
  const std::string file = file_of(id);
  const std::uint64_t before = header_of(file)->sequence;
  settle(id, {pending});
  doubt(id);
  for (int round = 0; round < 3; ++round) churn();
  EXPECT_NE(static_cast<Entry&>(message(id)).where.segment, before);
  reopen();
  EXPECT_EQ(message(id).attempts, 2);
  EXPECT_TRUE(message(id).in_doubt);
  EXPECT_EQ(message(id).due, loop.now() + std::chrono::hours(1));
  EXPECT_EQ(read(id).body, "kept\r\n");
  const std::vector<HistoryEvent> events = run_task(queue->history(message(id)), &loop);
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events[0].kind, HistoryEvent::Kind::earlier);
  EXPECT_EQ(events[0].outcome.host, "mx.example.net:587");
  EXPECT_EQ(events[0].outcome.recipients[0].text, "4.2.0 later");
}

TEST_F(MoveTest, AHeldAndAFailedMessageStaySo) {
  const MessageId held = commit("held\r\n");
  queue->hold(message(held));
  const MessageId dead = commit("failed\r\n");
  settle(dead, {RecipientState::failed});
  for (int round = 0; round < 3; ++round) churn();
  reopen();
  EXPECT_EQ(message(held).state, MessageState::held);
  EXPECT_EQ(message(dead).state, MessageState::failed);
}

TEST_F(MoveTest, ALargeBodyStaysWhereItIs) {
  const MessageId id = commit(std::string(100'000, 'y'));
  for (int round = 0; round < 3; ++round) churn();
  reopen();
  EXPECT_EQ(read(id).body, std::string(100'000, 'y'));
}

// What is deleted while somebody has it was seen to live again, once its segment had gone.
TEST_F(MoveTest, AMessageThatIsDeletedWhileItIsOutStaysGone) {
  queue->on_due([](Message&) {});
  const MessageId id = commit("deleted\r\n");
  loop.run();
  ASSERT_EQ(message(id).state, MessageState::ready);
  queue->remove(message(id));
  queue->on_due({});
  for (int round = 0; round < 3; ++round) churn();
  reopen();
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(MoveTest, AMessageThatIsDamagedIsHeldSetAsideAndNeverTriedAgain) {
  const MessageId id = commit("kept\r\n");
  memory.damage(file_of(id), segment_start + message_head);
  for (int round = 0; round < 3; ++round) churn();
  EXPECT_EQ(message(id).state, MessageState::held);
  EXPECT_THAT(quarantined(), ElementsAre("quarantine/" + to_string(id) + "-message"));
  EXPECT_THAT(troubles, ElementsAre(HasSubstr(to_string(id))));
  queue->remove(message(id));
  rest();
  reopen();
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(MoveTest, AnUnreadableSectorKeepsOneFileAndNothingElse) {
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
