// What the queue does when the disk is full, fails or lies, on a disk in memory that can do so on demand.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"
#include "queue/queue.hpp"
#include "queue/queue_fixture.hpp"
#include "queue/replay.hpp"
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

  // The kind of the refusal of a commit; nothing when it was taken.
  std::optional<QueueError::Kind> refusal(const std::string& body = "x\r\n") {
    try {
      commit(body);
      return std::nullopt;
    } catch (const QueueError& error) {
      return error.kind();
    }
  }

  // The file of the newest segment, and that of the oldest.
  std::string newest_segment() const { return segments().back(); }
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
  memory.arm(2, ForgettingDisk::Fault::fails_once, EIO);
  EXPECT_EQ(refusal("refused\r\n"), QueueError::Kind::failed);
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("journal")));
  const MessageId id = commit("taken\r\n");
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_EQ(read(id).body, "taken\r\n");
}

TEST_F(QueueFaultTest, ARefusedLargeMessageLeavesNoFile) {
  // create, two writes, sync, sync of the directory; then the write of the journal
  memory.arm(6, ForgettingDisk::Fault::fails_once, EIO);
  EXPECT_EQ(refusal(std::string(70'000, 'x')), QueueError::Kind::failed);
  flush();
  for (const auto& [path, size] : memory.sizes()) EXPECT_THAT(path, Not(testing::StartsWith("large/")));
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("journal")));
}

TEST_F(QueueFaultTest, AFullDiskIsSaidToBeFull) {
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) {
    memory.arm(1, ForgettingDisk::Fault::fails_once, error);
    EXPECT_EQ(refusal(), QueueError::Kind::full);
    memory.arm(1, ForgettingDisk::Fault::fails_once, error);
    EXPECT_EQ(refusal(std::string(100'000, 'x')), QueueError::Kind::full);
  }
}

TEST_F(QueueFaultTest, AMessageThatFitsIsTakenWhenThereIsNoRoomToGrowAhead) {
  memory.arm(2, ForgettingDisk::Fault::fails_once, ENOSPC);  // the write behind that of the record
  const MessageId id = commit("taken\r\n");
  EXPECT_THAT(troubles, IsEmpty());
  reopen();
  EXPECT_EQ(read(id).body, "taken\r\n");
}

TEST_F(QueueFaultTest, ADiskThatFailsForAWhileRefusesAtOnceAndRecoversByItself) {
  const MessageId first = commit("1\r\n");
  const MessageId second = commit("2\r\n");
  memory.arm(1, ForgettingDisk::Fault::fails_on, ENOSPC);
  EXPECT_EQ(refusal(), QueueError::Kind::full);
  EXPECT_EQ(refusal(), QueueError::Kind::full);
  Outcome outcome;
  outcome.recipients = {{0, delivered, 250, "2.0.0 ok"}};
  queue->settle(message(first), outcome);
  EXPECT_EQ(queue->find(first), nullptr);
  memory.heal();
  flush();
  EXPECT_EQ(refusal(), std::nullopt);
  reopen();
  EXPECT_EQ(queue->find(first), nullptr);
  EXPECT_TRUE(queue->find(second));
  EXPECT_EQ(recovery.messages, 2U);
}

TEST_F(QueueFaultTest, ADiskThatFailsIsAnAlarmAndNotOneForEachClient) {
  commit("1\r\n");
  memory.arm(1, ForgettingDisk::Fault::fails_on, ENOSPC);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(refusal(), QueueError::Kind::full);
  EXPECT_EQ(refusal(std::string(100'000, 'x')), QueueError::Kind::full);
  loop.run();
  EXPECT_THAT(troubles, ElementsAre(HasSubstr("cannot write"), HasSubstr("a fresh journal segment")));
  loop.advance(std::chrono::minutes(1));
  EXPECT_EQ(refusal(), QueueError::Kind::full);
  EXPECT_EQ(troubles.size(), 3U);
  EXPECT_EQ(queue->totals().troubles, 3U);
  EXPECT_THAT(troubles.back(), HasSubstr("mail is refused"));
}

TEST_F(QueueFaultTest, ADiskThatFailsAgainIsAnotherAlarm) {
  for (int round = 1; round <= 2; ++round) {
    memory.arm(1, ForgettingDisk::Fault::fails_once, EIO);
    EXPECT_EQ(refusal(), QueueError::Kind::failed);
    EXPECT_EQ(refusal(), std::nullopt);
    EXPECT_EQ(std::count_if(troubles.begin(), troubles.end(),
                            [](const std::string& text) { return text.starts_with("cannot write"); }),
              round);
  }
}

TEST_F(QueueFaultTest, ASegmentThatNeverHeldAnythingDurableDoesNotStay) {
  const MessageId id = commit("1\r\n");
  for (int i = 0; i < 2; ++i) {
    memory.arm(1, ForgettingDisk::Fault::fails_once, ENOSPC);  // the write; a fresh segment can be had
    EXPECT_EQ(refusal(), QueueError::Kind::full);
  }
  queue->retry(message(id));
  flush();
  EXPECT_EQ(segments().size(), 2U);
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_THAT(recovery.set_aside, IsEmpty());
}

TEST_F(QueueFaultTest, ManyCommitsShareOneSync) {
  Envelope envelope;
  envelope.recipients = {{"b@example.org", "", ""}};
  std::vector<async::Task<MessageId>> clients;
  for (int i = 0; i < 200; ++i) clients.push_back(commit_task("x\r\n", envelope));
  const std::size_t before = memory.calls();
  for (async::Task<MessageId>& client : clients) client.start();
  for (async::Task<MessageId>& client : clients) loop.run_until([&] { return client.done(); });
  EXPECT_EQ(queue->totals().waiting, 200U);
  EXPECT_LE(memory.calls() - before, 3U);  // the records, zeroes ahead of them, the sync
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
  memory.damage(newest_segment(), segment_start + message_head);
  EXPECT_THROW(read(id), QueueError);
  EXPECT_EQ(message(id).state, MessageState::held);
  EXPECT_THAT(quarantined(), ElementsAre("quarantine/" + to_string(id) + "-message"));
  EXPECT_THAT(troubles, ElementsAre(HasSubstr(to_string(id))));
}

TEST_F(QueueFaultTest, EveryDamagedByteCostsOneRecordAndIsReported) {
  constexpr std::uint32_t record = 152;  // bytes of the first one
  for (std::uint32_t offset = 0; offset < record; ++offset) {
    SCOPED_TRACE(offset);
    reopen();  // the first record of a fresh segment is the one to be damaged
    const MessageId first = commit("first\r\n");
    const std::string segment = newest_segment();
    const MessageId second = commit("second\r\n");
    queue.reset();
    memory.damage(segment, segment_start + offset);
    reopen();
    EXPECT_EQ(queue->find(first), nullptr);
    EXPECT_EQ(read(second).body, "second\r\n");
    EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("damaged")));
    EXPECT_EQ(quarantined().size(), offset + 1);
    settle(second, {delivered});
  }
}

TEST_F(QueueFaultTest, ADamagedHeaderIsReadFromItsCopy) {
  const MessageId first = commit("1\r\n");
  const std::string damaged = newest_segment();
  queue.reset();
  memory.damage(damaged, 20);
  reopen();
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("header")));
  EXPECT_THAT(quarantined(), IsEmpty());
  EXPECT_EQ(read(first).body, "1\r\n");
}

TEST_F(QueueFaultTest, AHeaderDamagedTwiceSetsTheSegmentAside) {
  commit("1\r\n");
  const std::string damaged = newest_segment();
  queue.reset();
  for (const std::size_t header : {0, 2048}) memory.damage(damaged, header + 20);
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("header")));
  EXPECT_EQ(quarantined().size(), 1U);
  EXPECT_EQ(refusal(), std::nullopt);
}

TEST_F(QueueFaultTest, ALargeBodyIsKeptWhenItsRecordIsDamaged) {
  const MessageId id = commit(std::string(100'000, 'x'));
  commit("another\r\n");
  const std::string segment = newest_segment();
  queue.reset();
  memory.damage(segment, segment_start + message_head);
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_THAT(quarantined(), testing::Contains("quarantine/" + to_string(id)));
}

TEST_F(QueueFaultTest, AMissingSegmentIsReported) {
  const MessageId first = commit("1\r\n");
  for (int i = 0; i < 2; ++i) {
    reopen();
    commit("2\r\n");
  }
  const std::vector<std::string> before = segments();
  ASSERT_EQ(before.size(), 3U);
  queue.reset();
  memory.remove(before[1]);
  reopen();
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr(before[1])));
  EXPECT_TRUE(queue->find(first));
}

TEST_F(QueueFaultTest, AJournalOfANewerVersionIsRefusedLoudly) {
  commit("1\r\n");
  const std::string segment = newest_segment();
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
}

// --- rewriting ---

class RewriteTest : public QueueFaultTest {
 protected:
  void SetUp() override {
    QueueFaultTest::SetUp();
    options.segment_size = 64_KiB;
    reopen();
  }
  // Until what was there before stands in other segments.
  void churn() {
    for (int i = 0; i < 40; ++i) settle(commit(std::string(20'000, 'x')), {delivered});
    loop.run();
  }

  // What the message's own record says of its attempts. Ends the queue.
  std::optional<Progress> stored_progress(MessageId id) {
    queue.reset();
    Index index;
    SegmentTable table;
    Replay(memory, index, table, options.keep_failed, {loop.now(), loop.wall_now()}).run();
    const Entry& entry = *index.find(id);
    const auto bytes = read_record(table, entry.where, entry.length);
    const auto record = parse_record(*bytes, table.find(entry.where.segment)->header.generation);
    return decode_message(*record)->progress;
  }
};

TEST_F(RewriteTest, AMessageKeepsAllOfItsStateWhenItMoves) {
  const MessageId id = commit("kept\r\n");
  const std::string first_segment = newest_segment();
  settle(id, {pending});
  run_task(queue->mark_in_doubt(message(id), "mailgun"), &loop);
  for (int round = 0; round < 3; ++round) churn();
  EXPECT_THAT(segments(), Not(testing::Contains(first_segment)));
  reopen();
  EXPECT_EQ(message(id).attempts, 1);
  EXPECT_TRUE(message(id).in_doubt);
  EXPECT_EQ(message(id).due, loop.now() + std::chrono::hours(1));
  EXPECT_EQ(read(id).body, "kept\r\n");
  const std::optional<Progress> progress = stored_progress(id);
  ASSERT_TRUE(progress);
  EXPECT_EQ(progress->merged.host, "mx.example.net:587");
  EXPECT_EQ(progress->merged.recipients[0].text, "4.2.0 later");
}

TEST_F(RewriteTest, AHeldAndAFailedMessageStaySo) {
  const MessageId held = commit("held\r\n");
  queue->hold(message(held));
  const MessageId dead = commit("failed\r\n");
  settle(dead, {RecipientState::failed});
  for (int round = 0; round < 3; ++round) churn();
  reopen();
  EXPECT_EQ(message(held).state, MessageState::held);
  EXPECT_EQ(message(dead).state, MessageState::failed);
}

TEST_F(RewriteTest, ALargeBodyStaysWhereItIs) {
  const MessageId id = commit(std::string(100'000, 'y'));
  for (int round = 0; round < 3; ++round) churn();
  reopen();
  EXPECT_EQ(read(id).body, std::string(100'000, 'y'));
}

TEST_F(RewriteTest, AFailedRewriteIsTriedAgainAMinuteLater) {
  const MessageId id = commit("kept\r\n");
  const std::string segment = newest_segment();
  memory.damage(segment, segment_start + message_head);  // needs the quarantine, and that fails
  memory.remove("quarantine");
  churn();
  EXPECT_TRUE(queue->find(id));
  EXPECT_THAT(troubles, ElementsAre(HasSubstr(to_string(id))));
  memory.make_directory("quarantine");
  loop.advance(std::chrono::minutes(1));
  EXPECT_TRUE(queue->find(id));
  churn();
  EXPECT_EQ(queue->find(id), nullptr);
}

TEST_F(RewriteTest, AMessageWithADamagedRecordIsSetAsideAndItsSegmentGoes) {
  const MessageId id = commit("kept\r\n");
  const std::string segment = newest_segment();
  memory.damage(segment, segment_start + message_head);
  churn();
  EXPECT_EQ(queue->find(id), nullptr);
  EXPECT_THAT(segments(), Not(testing::Contains(segment)));
  EXPECT_THAT(quarantined(), ElementsAre("quarantine/" + to_string(id) + "-message"));
  EXPECT_THAT(troubles, ElementsAre(HasSubstr(to_string(id))));
}

}  // namespace
}  // namespace relayd::queue
