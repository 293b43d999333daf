// What a start makes of damage that is more than one octet: what is lost is looked for, and what may have
// been sent is held.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "queue/queue_on_forgetting_disk.hpp"

namespace relayd::queue {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr std::uint64_t moved = 1000, generation = 7;  // of the segment that messages move to
constexpr auto far_apart =
    std::chrono::microseconds(0x010305);  // ids that one octet cannot turn into each other

class ReplayDamageTest : public QueueOnForgettingDisk {
 protected:
  void SetUp() override {
    QueueOnForgettingDisk::SetUp();
    options.segment_size = 64_KiB;
    renew();
  }

  std::vector<MessageId> take(std::size_t count, std::chrono::microseconds apart = far_apart) {
    std::vector<MessageId> taken;
    for (; taken.size() < count; loop.advance(apart))
      taken.push_back(commit("1\r\n", {"a@b.example", "c@d.example"}));
    return taken;
  }
  void end(MessageId id) { settle(id, {delivered, delivered}); }
  // Until all that is there has a summary, and stands before a checkpoint.
  void sum_up() {
    for (int i = 0; i < 400; ++i) settle(commit(std::string(1'000, 'x')), {delivered});
    settle_down();
  }
  // What is written last proves that what was before it had been durable.
  void prove() {
    for (int i = 0; i < 3; ++i) settle(commit("proof\r\n"), {delivered});
  }

  // All that lives has moved: it was copied, summaries say so, and the segments that it left are retired.
  // Then the queue is killed.
  void move_all() {
    std::string file = encode_header({moved, generation, 0, 0, SegmentKind::moved});
    std::vector<std::string> facts;
    for (const MessageId id : queue->ids()) {
      const Entry& entry = entry_of(message(id));
      Summary summary;
      summary.where = {moved, static_cast<std::uint32_t>(file.size())};
      summary.length = entry.length;
      summary.size = entry.size;
      summary.accepted = summary.lives_from = summary.when = summary.next = loop.wall_now();
      summary.routing_sender = entry.routing_sender;
      summary.states = entry.states.unpacked();
      facts.push_back(encode_summary(id, summary));
      std::string record(entry.length, '\0');
      memory.open(file_of(id))->read_at(entry.where.offset, record.data(), record.size());
      seal(record, generation, segment_start);
      file += record;
    }
    std::vector<RetiredRow> rows;
    for (const std::string& path : segments())
      if (const auto header = header_of(path))
        rows.push_back({header->sequence, header->previous, header->previous_end,
                        static_cast<std::uint32_t>(header->kind)});
    facts.push_back(encode_retired(rows));
    crash();
    for (const std::string& fact : facts) append(newest("state"), fact);
    const auto copy = memory.create("journal/0000000000001000.journal");
    copy->write_at(0, file);
    copy->sync_data();
    memory.sync_directory("journal");
  }
  Checkpoint newest_checkpoint() {
    Checkpoint newest;
    for_each_state_record([&newest](const Record& record, const std::string&, std::size_t) {
      const auto checkpoint = decode_checkpoint(record);
      if (checkpoint && checkpoint->last_id >= newest.last_id) newest = *checkpoint;
    });
    return newest;
  }

  struct Place {
    std::string path;
    std::size_t at = 0;
    std::size_t length = 0;
  };
  template <class Wanted>
  std::vector<Place> places(Wanted wanted) {
    std::vector<Place> found;
    for_each_state_record([&](const Record& record, const std::string& path, std::size_t at) {
      if (wanted(record)) found.push_back({path, at, record.length});
    });
    return found;
  }
  static auto summary_of(const std::vector<MessageId>& ids) {
    return [ids](const Record& record) {
      return record.type == RecordType::summary && std::ranges::count(ids, record.id) > 0;
    };
  }
  static auto end_of(const std::vector<MessageId>& ids) {
    return [ids](const Record& record) { return is_final(record) && std::ranges::count(ids, record.id) > 0; };
  }
  // More of it than can be put right; whom it is about can still be read.
  void damage(const std::vector<Place>& all) {
    ASSERT_THAT(all, testing::Not(IsEmpty()));
    for (const Place& place : all)
      for (const std::size_t octet : {9, 13}) memory.damage(place.path, place.at + octet);
  }
  void fill_with_zeroes(const std::vector<Place>& all) {
    ASSERT_THAT(all, testing::Not(IsEmpty()));
    for (const Place& place : all) {
      const auto file = memory.open(place.path);
      file->write_at(place.at, std::string(place.length, '\0'));
      file->sync_data();
    }
  }

  void demand(const std::vector<MessageId>& ids, MessageState state) {
    for (const MessageId id : ids) {
      ASSERT_NE(queue->find(id), nullptr) << to_string(id);
      EXPECT_EQ(message(id).state, state) << to_string(id);
      EXPECT_EQ(read(id).body, "1\r\n");
    }
  }

  // What is known of so many is lost, and so is the end of so many others.
  void lose(std::size_t lost, std::size_t back, std::chrono::microseconds apart = far_apart) {
    SCOPED_TRACE(testing::Message() << lost << " lost, " << back << " back");
    renew();
    while (loop.wall_now().time_since_epoch().count() % 4 != 0) loop.advance(std::chrono::microseconds(1));
    const std::vector<MessageId> live = take(lost, apart), ended = take(back, apart),
                                 others = take(1, far_apart);
    sum_up();
    for (const MessageId id : ended) end(id);
    queue.reset();
    damage(places([&](const Record& record) { return summary_of(live)(record) || end_of(ended)(record); }));
    reopen();
    demand(live, MessageState::held);
    demand(ended, MessageState::held);  // they may have been sent
    if (apart == far_apart) demand(others, MessageState::waiting);
    EXPECT_EQ(recovery.messages, lost + back + 1);
  }
};

// The count of what lives may be right, or more than right, and somebody is missing.
TEST_F(ReplayDamageTest, AMessageIsNotHiddenByOthersThatComeBack) {
  lose(1, 1);
  lose(1, 2);
  lose(1, 3);
  lose(2, 1);
  lose(2, 3);
}

TEST_F(ReplayDamageTest, MessagesAreNotHiddenByOthersWhoseIdsCancelThemOut) {
  lose(2, 2, std::chrono::microseconds(1));
}

// Of one recipient the outcome is known, as it stands behind the summary that is lost.
TEST_F(ReplayDamageTest, AMessageThatIsFoundAgainIsNotSentToWhoeverHasIt) {
  const std::vector<MessageId> id = take(1);
  sum_up();
  settle(id[0], {delivered, pending});
  queue.reset();
  damage(places(summary_of(id)));
  reopen();
  demand(id, MessageState::held);
  EXPECT_THAT(look(id[0]).states, testing::ElementsAre(delivered, pending));
}

TEST_F(ReplayDamageTest, AnEndOfWhichNothingIsLeftHoldsAllThatItMayHaveBeenOf) {
  const std::vector<MessageId> ended = take(1), others = take(1);
  end(ended[0]);
  prove();
  const std::vector<MessageId> younger = take(1);
  crash();
  fill_with_zeroes(places(end_of(ended)));
  reopen();
  demand(ended, MessageState::held);
  demand(others, MessageState::held);
  demand(younger, MessageState::held);  // no checkpoint says that it is younger
}

// It moved before it had any other summary, and where it was may be used for something else.
TEST_F(ReplayDamageTest, AMessageThatHasMovedIsFoundWhereItIs) {
  const std::vector<MessageId> ids = take(2), id = {ids[0]}, ended = {ids[1]};
  settle(id[0], {delivered, pending});
  move_all();
  append(newest("state"), encode_event(RecordType::removed, ended[0], {}, loop.wall_now()));
  damage(places(summary_of(ids)));
  reopen();
  demand(id, MessageState::held);
  EXPECT_THAT(look(id[0]).states, testing::ElementsAre(delivered, pending));
  EXPECT_EQ(queue->find(ended[0]), nullptr);
  queue->retry(message(id[0]));
  flush();
  crash();
  reopen();
  demand(id, MessageState::waiting);  // the operator has said so
}

// An earlier summary tells of it, and of a place that is used for something else; a checkpoint may have
// counted it since.
TEST_F(ReplayDamageTest, AMessageThatMovedAgainIsReadWhereItIs) {
  for (const bool counted : {false, true}) {
    SCOPED_TRACE(counted);
    renew();
    const std::vector<MessageId> id = take(1);
    sum_up();
    const std::string before = file_of(id[0]);
    move_all();
    if (counted) {
      Checkpoint checkpoint = newest_checkpoint();
      checkpoint.last_intake = moved - 1;
      checkpoint.segments = {{moved, segment_start + 1'000, segment_start + 1'000, 1, id_checksum(id[0])}};
      append(newest("state"), encode_checkpoint(checkpoint));
    }
    std::vector<Place> summaries;
    for_each_state_record([&](const Record& record, const std::string& path, std::size_t at) {
      const auto summary = decode_summary(record);
      if (summary && summary->where.segment == moved) summaries.push_back({path, at, record.length});
    });
    damage(summaries);
    memory.remove(before);
    reopen();
    ASSERT_NE(queue->find(id[0]), nullptr);
    EXPECT_EQ(read(id[0]).body, "1\r\n");
  }
}

// Nothing proves what stood there; but what was never written can be read.
TEST_F(ReplayDamageTest, WhereTheEndOfTheLogCannotBeReadItIsDamaged) {
  const std::vector<MessageId> ended = take(1);
  end(ended[0]);
  crash();
  const Place last = places(end_of(ended)).back();
  memory.fail_reads(last.path, last.at, last.at + 1);
  for (int start = 0; start < 2; ++start) {
    SCOPED_TRACE(start);
    reopen();
    demand(ended, MessageState::held);
    EXPECT_THAT(recovery.set_aside, Contains(HasSubstr("unreadable")));
    crash();
  }
  // As on the new disk that it was copied to.
  memory.heal_reads();
  fill_with_zeroes({last});
  reopen();
  demand(ended, MessageState::held);
}

TEST_F(ReplayDamageTest, AnUnreadableSectorBehindTheEndOfTheLogIsAboutNothing) {
  const std::vector<MessageId> id = take(1);
  settle(id[0], {delivered, pending});
  const std::string log = newest("state");
  crash();
  memory.fail_reads(log, segment_start + 8'192, segment_start + 8'193);
  reopen();
  demand(id, MessageState::waiting);
  EXPECT_THAT(recovery.set_aside, IsEmpty());
}

}  // namespace
}  // namespace relayd::queue
