#include "queue/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/forgetting_disk.hpp"

namespace relayd::queue {
namespace {

using testing::SizeIs;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;
constexpr MessageId id{1'790'000'000'000'000};
const WallTime when{std::chrono::seconds(1'790'000'000)};

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    auto fresh = std::make_shared<Segment>();
    fresh->header = {1, 0x1234567800000042, 0, 0, SegmentKind::state};
    fresh->file = disk.create("log");
    segment = fresh;
    states.add(segment);
  }

  Position write(std::string record) {
    const Position where{segment->header.sequence, end};
    seal(record, segment->header.generation, end);
    segment->file->write_at(end, record);
    end += static_cast<std::uint32_t>(record.size());
    return where;
  }

  Position write_outcome(Position previous, int minute, const std::string& host,
                         std::vector<RecipientOutcome> recipients) {
    Outcome outcome;
    outcome.when = when + std::chrono::minutes(minute);
    outcome.host = host;
    outcome.recipients = std::move(recipients);
    return write(encode_outcome(id, previous, outcome, false, false));
  }

  test::ForgettingDisk disk;
  std::shared_ptr<const Segment> segment;
  SegmentTable states;
  std::uint32_t end = segment_start;
};

TEST_F(HistoryTest, TheNewestReplyOfEachRecipientIsKept) {
  Position last = write_outcome({}, 1, "first", {{0, delivered, 250, "taken"}, {1, pending, 450, "later"}});
  last = write(encode_doubt(id, last, when, {"office", {}, when}));
  last = write_outcome(last, 2, "second", {{1, failed, 550, "never"}, {2, pending, 0, "no answer"}});
  const Outcome replies = newest_replies(states, last, 3).value();
  EXPECT_EQ(replies.when, when + std::chrono::minutes(2));
  EXPECT_EQ(replies.host, "second");
  ASSERT_THAT(replies.recipients, SizeIs(3));
  EXPECT_EQ(replies.recipients[0].text, "taken");
  EXPECT_EQ(replies.recipients[1].text, "never");
  EXPECT_EQ(replies.recipients[1].code, 550);
  EXPECT_EQ(replies.recipients[2].text, "no answer");
}

TEST_F(HistoryTest, ASummaryKnowsWhatWasBeforeIt) {
  const Position first = write_outcome({}, 1, "first", {{0, delivered, 250, "taken"}});
  Summary summary;
  summary.attempts = 1;
  summary.states = {delivered, pending};
  summary.merged = newest_replies(states, first, 2);
  Position last = write(encode_summary(id, summary));
  EXPECT_EQ(newest_replies(states, last, 2)->host, "first");
  last = write_outcome(last, 2, "second", {{1, pending, 450, "later"}});
  const Outcome replies = newest_replies(states, last, 2).value();
  EXPECT_EQ(replies.host, "second");
  EXPECT_EQ(replies.recipients[0].text, "taken");
  const std::vector<HistoryEvent> events = read_history(states, last);
  ASSERT_THAT(events, SizeIs(2));
  EXPECT_EQ(events[0].kind, HistoryEvent::Kind::earlier);
  EXPECT_EQ(events[0].attempts, 1);
  EXPECT_EQ(events[1].kind, HistoryEvent::Kind::attempt);
}

TEST_F(HistoryTest, WithoutAnAttemptThereIsNoReply) {
  EXPECT_FALSE(newest_replies(states, {}, 1));
  EXPECT_FALSE(newest_replies(states, write(encode_event(RecordType::hold, id, {}, when)), 1));
}

TEST_F(HistoryTest, AHistoryThatLeadsAstrayEnds) {
  const Position self{segment->header.sequence, end};
  const Position last = write_outcome(self, 1, "first", {{0, delivered, 250, "taken"}});  // names itself
  EXPECT_EQ(newest_replies(states, last, 1)->recipients[0].text, "taken");
  EXPECT_FALSE(newest_replies(states, {99, 4096}, 1));  // it has gone
}

TEST_F(HistoryTest, WhatIsDamagedOrCannotBeReadEndsIt) {
  const Position first = write_outcome({}, 1, "first", {{0, pending, 450, "later"}});
  const Position last = write_outcome(first, 2, "second", {{0, pending, 451, "later still"}});
  disk.fail_reads("log", first.offset, first.offset + 1);
  EXPECT_THAT(read_history(states, last), SizeIs(1));
  disk.heal_reads();
  EXPECT_THAT(read_history(states, last), SizeIs(2));
}

}  // namespace
}  // namespace relayd::queue
