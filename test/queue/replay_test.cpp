// What a start makes of files that are damaged, missing, or of a later version.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"
#include "queue/queue_on_forgetting_disk.hpp"

namespace relayd::queue {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto pending = RecipientState::pending;

class ReplayTest : public QueueOnForgettingDisk {
 protected:
  // The header of that file says that a later version wrote it.
  void make_newer(const std::string& path) {
    const auto file = memory.open(path);
    std::string header(64, '\0');
    file->read_at(0, header.data(), header.size());
    store(&header[8], format_version + 1);
    store(&header[56], checksum(std::string_view(header).substr(0, 56)));
    file->write_at(0, header);
  }

  std::string refusal_of_start() {
    try {
      reopen();
    } catch (const QueueError& error) {
      EXPECT_EQ(error.kind(), QueueError::Kind::broken);
      return error.what();
    }
    return "";
  }
};

TEST_F(ReplayTest, EveryDamagedByteCostsOneRecordAndIsReported) {
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

TEST_F(ReplayTest, ADamagedHeaderIsReadFromItsCopy) {
  const MessageId first = commit("1\r\n");
  const std::string damaged = file_of(first);
  queue.reset();
  memory.damage(damaged, 20);
  reopen();
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("header")));
  EXPECT_THAT(quarantined(), IsEmpty());
  EXPECT_EQ(read(first).body, "1\r\n");
}

TEST_F(ReplayTest, AHeaderDamagedTwiceSetsTheSegmentAside) {
  const std::string damaged = file_of(commit("1\r\n"));
  queue.reset();
  for (const std::size_t header : {0, 4096}) memory.damage(damaged, header + 20);
  reopen();
  EXPECT_EQ(recovery.messages, 0U);
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("header"), HasSubstr("is missing")));
  EXPECT_EQ(quarantined().size(), 1U);
  EXPECT_EQ(refusal(), std::nullopt);
}

TEST_F(ReplayTest, ALargeBodyIsKeptWhenItsRecordIsDamaged) {
  const MessageId id = commit(std::string(100'000, 'x'));
  commit("another\r\n");
  const std::string segment = file_of(id);
  queue.reset();
  memory.damage(segment, segment_start + message_head);
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_THAT(quarantined(), testing::Contains("quarantine/" + to_string(id)));
}

TEST_F(ReplayTest, AMissingSegmentIsReportedAndItsMessagesAreNamed) {
  options.segment_size = 16_KiB;
  renew();
  std::vector<MessageId> ids;
  for (int i = 0; i < 6; ++i) ids.push_back(commit(std::string(7'000, 'x')));
  settle(ids[0], {pending});
  // Until every message has a summary.
  for (int i = 0; i < 800; ++i) settle(ids[5], {pending});
  settle_down();
  const std::string segment = "journal/0000000000000001.journal";
  queue.reset();
  memory.remove(segment);
  reopen();
  EXPECT_EQ(recovery.messages, ids.size());
  EXPECT_THAT(recovery.set_aside, testing::Contains(HasSubstr(to_string(ids[0]))));
  EXPECT_EQ(message(ids[0]).state, MessageState::held);
  EXPECT_EQ(message(ids[5]).state, MessageState::waiting);
}

TEST_F(ReplayTest, AMissingSegmentOfWhichNothingElseIsKnownIsReported) {
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

TEST_F(ReplayTest, AQueueOfANewerVersionIsRefusedAndLeftAsItIs) {
  const std::string segment = file_of(commit("1\r\n"));
  queue.reset();
  // A file that this version would set aside.
  const std::string damaged = newest("state");
  for (const std::size_t header : {0, 4096}) memory.damage(damaged, header + 20);
  make_newer(segment);
  const auto before = memory.sizes();
  EXPECT_THAT(refusal_of_start(), HasSubstr("newer version"));
  EXPECT_EQ(memory.sizes(), before);
  renew();
  queue.reset();
  make_newer(newest("state"));
  EXPECT_THAT(refusal_of_start(), HasSubstr("newer version"));
  EXPECT_THAT(quarantined(), IsEmpty());
}

// A record of a type that is not known, in either log.
TEST_F(ReplayTest, ARecordOfALaterVersionIsPassedOverWhereItMayBeAndRefusedWhereNot) {
  constexpr std::size_t flags_at = 29;
  for (const char* folder : {"state", "journal"}) {
    SCOPED_TRACE(folder);
    renew();
    const MessageId id = commit("1\r\n");
    queue.reset();
    std::string record = encode_event(static_cast<RecordType>(99), id, {}, loop.wall_now());
    record[flags_at] = static_cast<char>(flag_may_be_ignored);
    append(newest(folder), record);
    reopen();
    EXPECT_THAT(recovery.set_aside, IsEmpty());
    EXPECT_EQ(read(id).body, "1\r\n");
    queue.reset();
    record[flags_at] = 0;
    append(newest(folder), record);
    const auto before = memory.sizes();
    EXPECT_THAT(refusal_of_start(), HasSubstr("a record of type 99 was written by a newer version"));
    EXPECT_EQ(memory.sizes(), before);
  }
}

// A rollback, and the later version again: what it recorded is still there, although old state has gone.
TEST_F(ReplayTest, ARecordOfALaterVersionOutlivesTheFileThatItStoodIn) {
  constexpr std::size_t flags_at = 29;
  options.segment_size = 16_KiB;
  renew();
  const MessageId id = commit("1\r\n"), gone = commit("2\r\n");
  queue.reset();
  const std::string file = newest("state");
  for (const MessageId about : {id, gone}) {
    std::string record = encode_event(static_cast<RecordType>(99), about, {}, loop.wall_now());
    record[flags_at] = static_cast<char>(flag_may_be_ignored);
    append(file, record);
  }
  const std::uint64_t before = header_of(file)->sequence;
  reopen();
  queue->remove(message(gone));
  for (int i = 0; i < 2'000; ++i) settle(id, {pending});
  settle_down();
  ASSERT_NE(header_of(file)->sequence, before) << "the file was not used again";
  for (int start = 0; start < 4; ++start) {
    reopen();
    for (int i = 0; i < 100; ++i) settle(id, {pending});
    settle_down();
  }
  std::vector<MessageId> found;
  for_each_state_record([&found](const Record& record, const std::string&, std::size_t) {
    if (record.type == static_cast<RecordType>(99)) found.push_back(record.id);
  });
  EXPECT_THAT(found, testing::Contains(id));
  // Starts copy it, and find the copies: each checkpoint writes one and no more.
  EXPECT_LE(found.size(), 30U);
}

// Before there is a checkpoint the first segment says all there is to know.
TEST_F(ReplayTest, AStateLogThatLacksItsFirstSegmentHoldsWhatItMayHaveBeenAbout) {
  options.segment_size = 16_KiB;
  renew();
  const MessageId id = commit("1\r\n");
  const std::string first = newest("state");
  for (int i = 0; i < 80; ++i) settle(id, {pending});
  ASSERT_NE(newest("state"), first);
  crash();  // no checkpoint is written at the end
  std::string lost;
  for (const auto& [path, size] : memory.sizes())
    if (path.starts_with("state/") && header_of(path) && header_of(path)->sequence == 1) lost = path;
  ASSERT_FALSE(lost.empty());
  memory.remove(lost);
  reopen();
  EXPECT_THAT(recovery.set_aside, testing::Contains(HasSubstr("segment 1 of the state log")));
  EXPECT_EQ(message(id).state, MessageState::held);
}

// Whatever octet of a fact is wrong, the rest and the checksum tell which one it was.
TEST_F(ReplayTest, ADamagedOctetOfAFactIsPutRight) {
  const MessageId id = commit("1\r\n", {"a@example.org", "b@example.org"}), other = commit("2\r\n");
  settle(id, {RecipientState::delivered, pending});
  const std::string log = newest("state");
  for (int i = 0; i < 3; ++i) settle(other, {pending});  // which prove that the first was durable
  crash();
  std::size_t length = 0;
  for_each_state_record([&](const Record& record, const std::string&, std::size_t at) {
    if (at == segment_start) length = record.length;
  });
  ASSERT_GT(length, 32U);
  for (std::size_t octet = 0; octet < length; octet += 3) {
    SCOPED_TRACE(octet);
    memory.damage(log, segment_start + octet);
    reopen();
    EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("one octet")));
    EXPECT_EQ(message(id).state, MessageState::waiting);
    EXPECT_EQ(shipment(id).unsent, 1U);
    EXPECT_EQ(shipment(id).attempts, 1);
    crash();
    memory.damage(log, segment_start + octet);  // and back
  }
}

// The checkpoint before it needs what is there, and what the lost one let go is not missing.
TEST_F(ReplayTest, ALostCheckpointLosesNothingAndBringsNothingBack) {
#ifdef __SANITIZE_ADDRESS__
  constexpr unsigned seeds = 8;
#else
  constexpr unsigned seeds = 40;
#endif
  options.segment_size = 16_KiB;
  for (unsigned seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    renew();
    std::mt19937 random(seed);
    const auto pass_time = [&] { loop.advance(std::chrono::microseconds(300 + random() % 100'000)); };
    std::vector<MessageId> living, gone;
    for (std::size_t left = 200 + random() % 400; left > 0; --left) {
      pass_time();
      living.push_back(commit(std::string(random() % 500, 'x')));
      if (random() % 2 == 0) settle(living[random() % living.size()], {pending});
    }
    settle_down();
    for (const std::size_t left = 15 + random() % living.size() / 2; living.size() > left;) {
      pass_time();
      const auto one = living.begin() + static_cast<std::ptrdiff_t>(random() % living.size());
      settle(*one, {random() % 3 == 0 ? pending : RecipientState::delivered});
      if (queue->find(*one)) continue;
      gone.push_back(*one);
      living.erase(one);
    }
    settle_down();
    for (int i = 0; i < 2; ++i) settle(living[0], {pending});  // which prove that all was durable
    std::string path;
    std::size_t offset = 0;
    std::uint64_t newest = 0, count = 0;
    for_each_state_record([&](const Record& record, const std::string& file, std::size_t at) {
      const std::uint64_t place = (header_of(file)->sequence << 32) + at;
      if (record.type != RecordType::checkpoint || (++count, place < newest)) return;
      newest = place;
      path = file;
      offset = at;
    });
    crash(1);
    if (count < 2) continue;
    for (const std::size_t octet : {40, 50}) memory.damage(path, offset + octet);
    reopen();
    EXPECT_LE(recovery.set_aside.size(), 1U);  // none where it was not proven to be durable
    for (const MessageId id : gone) EXPECT_EQ(queue->find(id), nullptr);
    for (const MessageId id : living) EXPECT_EQ(message(id).state, MessageState::waiting);
  }
}

TEST_F(ReplayTest, ADamagedOctetCostsNoHistory) {
  const MessageId id = commit("1\r\n"), other = commit("2\r\n");
  for (int i = 0; i < 2; ++i) settle(id, {pending});
  const std::string log = newest("state");
  std::size_t second = 0;
  for_each_state_record([&](const Record& record, const std::string&, std::size_t at) {
    if (record.id == id) second = at;
  });
  for (int i = 0; i < 3; ++i) settle(other, {pending});
  crash();
  memory.damage(log, second + 60);
  reopen();
  EXPECT_EQ(test::run_task(queue->history(message(id)), &loop).size(), 2U);
}

// As after a power cut that kept a later page of the log and lost an earlier one.
TEST_F(ReplayTest, NotTakenIsAboutWhatTheOperatorSawAndNothingElse) {
  const MessageId id = commit("1\r\n", {"a@b.example", "c@d.example"});
  doubt(id, "office", {0, 1});
  settle(id, {RecipientState::doubtful, RecipientState::delivered});
  const std::string log = newest("state");
  std::size_t attempt = 0;
  for_each_state_record([&](const Record& record, const std::string&, std::size_t at) {
    if (record.type == RecordType::outcome) attempt = at;
  });
  queue->hold(message(id));
  queue->not_taken(message(id));
  flush();
  crash();
  for (const std::size_t octet : {1, 40, 60}) memory.damage(log, attempt + octet);
  reopen();
  EXPECT_THAT(look(id).states, ElementsAre(RecipientState::doubtful, RecipientState::doubtful));
}

// What was recorded about it is damaged in its id; the operator looks at it and says that it may go.
TEST_F(ReplayTest, AMessageThatIsReleasedAfterDamageIsNotHeldAgain) {
  const MessageId id = commit("1\r\n"), other = commit("2\r\n");
  settle(id, {pending});
  const std::string log = newest("state");
  for (int i = 0; i < 3; ++i) settle(other, {pending});  // which prove that the first was durable
  crash();
  for (const std::size_t octet : {16, 40}) memory.damage(log, segment_start + octet);
  reopen();
  ASSERT_EQ(message(id).state, MessageState::held);
  queue->retry(message(id));
  flush();
  reopen();
  EXPECT_EQ(message(id).state, MessageState::waiting);
}

TEST_F(ReplayTest, AHeaderThatCannotBeReadIsReadFromItsCopyAndReported) {
  const MessageId id = commit("1\r\n");
  const std::string segment = file_of(id);
  queue.reset();
  memory.fail_reads(segment, 0, 512);
  reopen();
  EXPECT_THAT(recovery.set_aside, testing::Contains(HasSubstr(segment)));
  EXPECT_EQ(read(id).body, "1\r\n");
}

}  // namespace
}  // namespace relayd::queue
