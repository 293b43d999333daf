// What the queue's upkeep writes and keeps as what waits grows and shrinks.
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "queue/queue_on_forgetting_disk.hpp"
#include "queue/record.hpp"

namespace relayd::queue {
namespace {

using namespace std::chrono_literals;

class UpkeepTest : public QueueOnForgettingDisk {
 protected:
  std::vector<MessageId> take(std::size_t messages, std::size_t size) {
    std::vector<MessageId> ids;
    for (std::size_t i = 0; i < messages; ++i) ids.push_back(commit(std::string(size, 'x')));
    return ids;
  }

  void pass(std::chrono::seconds time) {
    for (; time > 0s; time -= 1s) {
      loop.advance(1s);
      settle_down();
    }
  }

  std::uint64_t octets_of_state() const {
    std::uint64_t sum = 0;
    for (const auto& [path, size] : memory.sizes())
      if (path.ends_with(".state")) sum += size;
    return sum;
  }
};

TEST_F(UpkeepTest, AMessageThatWaitsIsSummarisedOnceWhileItsLogHasRoom) {
  options.segment_size = 64_KiB;
  renew();
  const MessageId id = take(1, 100).front();
  take(400, 1'000);  // some checkpoints: one for each four files
  settle_down();
  const Position summary = entry_of(message(id)).last;
  ASSERT_NE(summary.segment, 0U);
  take(1'000, 1'000);
  settle_down();
  EXPECT_EQ(entry_of(message(id)).last, summary);
}

TEST_F(UpkeepTest, TheRoomThatManyNeededIsGivenBackWhenFewAreLeft) {
  constexpr std::uint64_t few = 10 << 20;
  options.segment_size = 16_MiB;
  renew();
  const std::vector<MessageId> all = take(40'000, 1);
  for (const MessageId id : all) {
    Outcome outcome;
    outcome.recipients = {{0, RecipientState::pending, 450, std::string(200, 'z')}};
    outcome.next_attempt = loop.wall_now() + 24h;
    queue->settle(shipment(id), outcome);
  }
  settle_down();
  pass(10s);
  EXPECT_GT(octets_of_state(), 2 * few);
  for (const MessageId id : all)
    if (id != all.front()) queue->remove(message(id));
  for (int i = 0; i < 100 && octets_of_state() >= few; ++i) pass(1s);
  EXPECT_LT(octets_of_state(), few);
  reopen();
  EXPECT_EQ(recovery.messages, 1U);
  EXPECT_LT(recovery.read.count, 5U << 20);
}

// What summaries cost is reckoned from those before, which were small.
TEST_F(UpkeepTest, LargeSummariesAfterManySmallOnesComeToRest) {
  options.segment_size = 64_KiB;
  renew();
  for (int round = 0; round < 10; ++round) {
    const std::vector<MessageId> all = take(600, 1'000);
    settle_down();
    for (const MessageId id : all) queue->remove(message(id));
    settle_down();
  }
  const std::vector<std::string> recipients(20, "b@example.org");
  for (int i = 0; i < 60; ++i) {
    const MessageId id = commit("x\r\n", recipients);
    Outcome outcome;
    for (std::uint32_t each = 0; each < recipients.size(); ++each)
      outcome.recipients.push_back({each, RecipientState::pending, 450, std::string(400, 'z')});
    outcome.next_attempt = loop.wall_now() + 24h;
    queue->settle(shipment(id), outcome);
    flush();
  }
  const std::uint64_t before = header_of(newest("state"))->sequence;
  for (int i = 0; i < 300; ++i) settle_down();
  EXPECT_LT(header_of(newest("state"))->sequence - before, 60U);
}

// Each checkpoint copies them, and with them fills a file.
TEST_F(UpkeepTest, RecordsThatAreCarriedAlongComeToRest) {
  options.segment_size = 16_KiB;
  renew();
  const MessageId id = take(1, 10).front();
  for (char number = 0; number < 12; ++number) {
    for (int i = 0; i < 3; ++i) settle(id, {RecipientState::pending});
    queue.reset();
    std::string record = encode_event(static_cast<RecordType>(99), {}, {}, loop.wall_now());
    record.resize(2048);
    record[29] = static_cast<char>(flag_may_be_ignored);
    record[40] = number;
    append(newest("state"), record);
    reopen();
    settle_down();
  }
  for (int i = 0; i < 300; ++i) settle(id, {RecipientState::pending});
  for (int i = 0; i < 20; ++i) settle_down();
  const std::uint64_t before = header_of(newest("state"))->sequence;
  for (int i = 0; i < 50; ++i) settle_down();
  EXPECT_LE(header_of(newest("state"))->sequence, before);
}

}  // namespace
}  // namespace relayd::queue
