// A log with its writer, without the queue around it.
#include "queue/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "queue/ground.hpp"
#include "queue/record.hpp"
#include "support/forgetting_disk.hpp"
#include "support/manual_loop.hpp"

namespace relayd::queue {
namespace {

using test::ForgettingDisk;
using test::ManualLoop;
using test::run_task;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* name : {"journal", "state"}) disk.make_directory(name);
    for (int i = 0; i < 4; ++i) {
      ground.make(Ground::Log::messages, 16 << 10);
      ground.make(Ground::Log::state, 16 << 10);
    }
  }

  void begin(Journal::Log log) {
    journal = std::make_unique<Journal>(log, loop, ground, segments, last_sequence, JournalStart{},
                                        [this](Report& report) { take(report); });
  }

  void take(Report& report) {
    for (const std::string& trouble : report.troubles) troubles.push_back(trouble);
    for (const Submission& submission : report.done)
      (submission.failure ? refused : done).push_back(submission.id.value);
    end = report.end;
    rest = report.rest;
  }

  void submit(std::uint64_t id, std::size_t size = 0) {
    Submission submission;
    submission.id = {id};
    submission.bytes = encode_event(RecordType::hold, {id}, {}, loop.wall_now());
    if (size > 0) submission.bytes = encode_closed(size);
    journal->submit(std::move(submission));
  }
  void flush() { run_task(journal->flush(), &loop); }

  // What the next start finds of the segments in use, as far as their successors say.
  std::vector<std::uint64_t> found() const {
    std::vector<std::uint64_t> ids;
    const auto all = segments.all();
    for (std::size_t i = 0; i < all.size(); ++i) {
      const Segment& segment = *all[i];
      const std::uint32_t until = i + 1 < all.size() ? all[i + 1]->header.previous_end : end.offset;
      std::string bytes(until, '\0');
      segment.file->read_at(0, bytes.data(), bytes.size());
      const std::string_view view = bytes;
      for (std::size_t at = segment_start; at < view.size();) {
        const auto record = parse_record(view.substr(at), segment.header.generation);
        if (!record) break;
        if (record->type == RecordType::hold) ids.push_back(record->id.value);
        at += record->length;
      }
    }
    return ids;
  }

  ForgettingDisk disk;
  ManualLoop loop;
  Ground ground{disk, 0_B, 16_KiB};
  SegmentTable segments;
  std::atomic<std::uint64_t> last_sequence = 0;
  std::vector<std::uint64_t> done, refused;
  std::vector<std::string> troubles;
  Position end;
  std::uint64_t rest = 0;
  std::unique_ptr<Journal> journal;
};

TEST_F(JournalTest, WhatIsSubmittedInOneTurnIsSyncedOnceAndInOrder) {
  begin(Journal::Log::facts);
  submit(1);
  flush();
  const std::size_t before = disk.calls();
  for (std::uint64_t id = 2; id <= 9; ++id) submit(id);
  flush();
  EXPECT_EQ(disk.calls(), before + 2);  // a write and a sync
  EXPECT_THAT(done, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(found(), done);
}

TEST_F(JournalTest, EachSyncIsTimedOnce) {
  begin(Journal::Log::facts);
  for (std::uint64_t id = 1; id <= 3; ++id) submit(id);
  flush();
  submit(4);
  flush();
  const SyncTimes& times = journal->sync_times();
  EXPECT_EQ(std::accumulate(times.in_bucket.begin(), times.in_bucket.end(), std::uint64_t{0}), 2U);
  EXPECT_GT(times.sum, 0);
}

TEST_F(JournalTest, FactsAreWrittenAgainUntilTheyAreDurableAndStayInOrder) {
  begin(Journal::Log::facts);
  submit(1);
  flush();
  disk.arm(2, ForgettingDisk::Fault::fails_on);
  submit(2);
  loop.run_until([this] { return !troubles.empty(); });
  submit(3);
  disk.heal();
  flush();
  EXPECT_THAT(done, ElementsAre(1, 2, 3));
  EXPECT_THAT(refused, IsEmpty());
  EXPECT_EQ(found(), done);
  EXPECT_THAT(troubles.front(), HasSubstr("cannot write to the state log"));
}

TEST_F(JournalTest, AMessageThatCannotBeWrittenIsGivenUpAndVoid) {
  begin(Journal::Log::messages);
  submit(1);
  flush();
  disk.arm(2, ForgettingDisk::Fault::fails_once);  // the sync of it, which is in the file
  submit(2);
  flush();
  submit(3);
  flush();
  EXPECT_THAT(done, ElementsAre(1, 3));
  EXPECT_THAT(refused, ElementsAre(2));
  EXPECT_EQ(found(), done);
}

TEST_F(JournalTest, WhatIsInLineIsCountedUntilItIsReported) {
  begin(Journal::Log::facts);
  submit(1);
  submit(2);
  EXPECT_EQ(journal->in_line(), 2U);
  const std::uint64_t octets = journal->octets_in_line();
  EXPECT_GE(octets, 2 * record_header);
  flush();
  EXPECT_EQ(journal->in_line(), 0U);
  EXPECT_EQ(journal->octets_in_line(), 0U);
  EXPECT_EQ(rest, (16U << 10) - segment_start - octets);
}

TEST_F(JournalTest, ASegmentIsFilledAndTheNextOneSaysWhereItEnded) {
  begin(Journal::Log::facts);
  for (std::uint64_t id = 1; id <= 4; ++id) {
    submit(id);
    submit(100, 5'000);
    flush();
  }
  ASSERT_GE(segments.size(), 2U);
  EXPECT_THAT(found(), ElementsAre(1, 2, 3, 4));
}

TEST_F(JournalTest, WhatIsInLineWhenItClosesIsWrittenBeforeTheLastRecords) {
  begin(Journal::Log::facts);
  submit(1);
  submit(2);
  journal->close({encode_event(RecordType::hold, {3}, {}, loop.wall_now())});
  end = journal->end();
  EXPECT_THAT(found(), ElementsAre(1, 2, 3));
  EXPECT_TRUE(journal->goes_on());
}

}  // namespace
}  // namespace relayd::queue
