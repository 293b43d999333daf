#include "queue/history.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/forgetting_disk.hpp"

namespace relayd::queue {
namespace {

using testing::ElementsAre;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;
constexpr MessageId id{1'790'000'000'000'000};
const WallTime when{std::chrono::seconds(1'790'000'000)};

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    disk.make_directory("journal");
    SegmentStore store(disk, 0, {});
    segment = store.open_next(0, 0);
    segments.add(segment);
  }

  Position write(std::string record) {
    const Position where{segment->header.sequence, end};
    seal(record, segment->header.generation, end);
    segment->file->write_at(end, record);
    end += static_cast<std::uint32_t>(record.size());
    return where;
  }

  Position write_message() {
    std::string record = begin_message() + "body\r\n";
    Envelope envelope;
    envelope.recipients = {{"a", "", ""}, {"b", "", ""}, {"c", "", ""}};
    finish_message(record, id, {.size = 6, .accepted = when}, envelope);
    return write(record);
  }

  Position write_outcome(Position previous, int minute, const std::string& host,
                         std::vector<RecipientOutcome> recipients) {
    Outcome outcome;
    outcome.when = when + std::chrono::minutes(minute);
    outcome.host = host;
    outcome.recipients = std::move(recipients);
    return write(encode_outcome(id, previous, outcome, false));
  }

  // What the rewritten record says of the attempts.
  Progress rewritten(const RewriteOrder& order) {
    std::optional<std::string> bytes = rewrite(segments, order);
    if (!bytes) throw std::runtime_error("not sound");
    const Position where = write(*bytes);
    const auto stored = read_record(segments, where, 64);
    const auto record = parse_record(*stored, segment->header.generation);
    return *decode_message(*record)->progress;
  }

  test::ForgettingDisk disk;
  std::shared_ptr<const Segment> segment;
  SegmentTable segments;
  std::uint32_t end = segment_start;
};

TEST_F(HistoryTest, ARewrittenMessageKeepsTheNewestReplyOfEachRecipient) {
  RewriteOrder order;
  order.source = write_message();
  order.length = 64;  // too short: the record itself knows better
  Position last = write_outcome({}, 1, "first", {{0, delivered, 250, "taken"}, {1, pending, 450, "later"}});
  last = write(encode_event(RecordType::in_doubt, id, last, when));
  last = write_outcome(last, 2, "second", {{1, failed, 550, "never"}, {2, pending, 0, "no answer"}});
  order.last = last;
  order.attempts = 2;
  order.states = {delivered, failed, pending};
  order.next_attempt = when + std::chrono::minutes(9);

  const Progress progress = rewritten(order);
  EXPECT_EQ(progress.attempts, 2);
  EXPECT_EQ(progress.merged.when, when + std::chrono::minutes(2));
  EXPECT_EQ(progress.merged.next_attempt, when + std::chrono::minutes(9));
  EXPECT_EQ(progress.merged.host, "second");
  ASSERT_EQ(progress.merged.recipients.size(), 3U);
  EXPECT_EQ(progress.merged.recipients[0].text, "taken");
  EXPECT_EQ(progress.merged.recipients[0].state, delivered);
  EXPECT_EQ(progress.merged.recipients[1].text, "never");
  EXPECT_EQ(progress.merged.recipients[1].code, 550);
  EXPECT_EQ(progress.merged.recipients[2].text, "no answer");
}

TEST_F(HistoryTest, AMessageThatMovesAgainKeepsWhatItsRecordKnew) {
  RewriteOrder order;
  order.source = write_message();
  order.length = 4096;
  order.last = write_outcome({}, 1, "first", {{0, delivered, 250, "taken"}});
  order.attempts = 1;
  order.states = {delivered, pending, pending};
  const std::optional<std::string> moved = rewrite(segments, order);
  ASSERT_TRUE(moved);
  order.source = write(*moved);
  order.last = {};
  const Progress progress = rewritten(order);
  EXPECT_EQ(progress.merged.host, "first");
  EXPECT_EQ(progress.merged.recipients[0].text, "taken");
}

TEST_F(HistoryTest, AHistoryThatLeadsAstrayEnds) {
  RewriteOrder order;
  order.source = write_message();
  order.length = 4096;
  const Position self{segment->header.sequence, end};
  order.last = write_outcome(self, 1, "first", {{0, delivered, 250, "taken"}});  // names itself
  order.attempts = 1;
  order.states = {delivered, pending, pending};
  EXPECT_EQ(rewritten(order).merged.recipients[0].text, "taken");
  order.last = {99, 4096};  // retired
  EXPECT_EQ(rewritten(order).merged.recipients[0].text, "");
}

TEST_F(HistoryTest, ADamagedMessageIsNotRewritten) {
  RewriteOrder order;
  order.source = write_message();
  order.length = 4096;
  segment->file->sync_data();
  disk.damage(segment_path(1), segment_start + message_head);
  EXPECT_FALSE(rewrite(segments, order));
}

}  // namespace
}  // namespace relayd::queue
