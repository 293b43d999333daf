// A disk that is full to its last block: the queue says so, records what becomes of what it has, and comes to
// rest.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <vector>

#include "queue/queue_fixture.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd::queue {
namespace {

using test::ForgettingDisk;
using test::QueueFixture;
using testing::IsEmpty;

class FullDiskTest : public QueueFixture {
 protected:
  void SetUp() override {
    options.segment_size = 64_KiB;
    options.inline_limit = 16_KiB;
    options.reserve = 0_B;
    memory.set_capacity(1_MiB);
    memory.shake();
    reopen();
  }
  disk::Disk& fresh_disk() override { return memory; }

  // Takes messages until there is no room.
  std::vector<MessageId> fill(std::size_t size) {
    std::vector<MessageId> taken;
    try {
      for (;;) taken.push_back(commit(std::string(size, 'x')));
    } catch (const QueueError& error) {
      EXPECT_EQ(error.kind(), QueueError::Kind::full);
    }
    return taken;
  }

  // The upstream answers with a long reply that it should come again.
  async::Task<void> try_once(MessageId id) {
    const std::vector<std::uint32_t> recipients = {0};
    co_await queue->mark_in_doubt(message(id), "office", recipients, loop.wall_now() + std::chrono::hours(1));
    queue->settle(message(id), later());
  }

  Outcome later() {
    Outcome outcome;
    outcome.when = loop.wall_now();
    outcome.next_attempt = outcome.when + std::chrono::hours(100);
    outcome.recipients = {{0, RecipientState::pending, 450, std::string(400, 'z')}};
    return outcome;
  }

  void demand_rest() {
    rest();
    for (int i = 0; i < 20; ++i) {
      loop.advance(std::chrono::seconds(1));
      flush();
    }
    const std::size_t before = memory.calls();
    for (int i = 0; i < 50; ++i) flush();
    EXPECT_EQ(memory.calls(), before);
  }

  ForgettingDisk memory;
};

TEST_F(FullDiskTest, AQueueThatIsFullComesToRestAndLosesNothing) {
  for (const std::size_t size : {100UL, 1'000UL, 9'000UL}) {
    SCOPED_TRACE(size);
    const std::vector<MessageId> taken = fill(size);
    ASSERT_GT(taken.size(), 10U);
    demand_rest();
    // Each is tried three times, in doubt and without an answer.
    for (int attempt = 0; attempt < 3; ++attempt) {
      for (const MessageId id : taken) doubt(id, "office");
      for (const MessageId id : taken) queue->settle(message(id), later());
      flush();
    }
    demand_rest();
    memory.arm(1, ForgettingDisk::Fault::power_fails);
    queue.reset();
    memory.restart(0);
    reopen();
    EXPECT_THAT(recovery.set_aside, IsEmpty());
    EXPECT_EQ(recovery.messages, taken.size());
    demand_rest();
    for (const MessageId id : taken) {
      EXPECT_EQ(message(id).attempts, 3U);
      queue->remove(message(id));
    }
    flush();
    demand_rest();
    reopen();
    EXPECT_EQ(recovery.messages, 0U);
  }
}

// All that is out comes back at once, attempt after attempt: what is begun waits until old records have made
// room, and what happened finds room always.
TEST_F(FullDiskTest, ABurstOfAttemptsWaitsForRoomAndIsRecorded) {
  const std::vector<MessageId> taken = fill(100);
  ASSERT_GT(taken.size(), 100U);
  for (int attempt = 1; attempt <= 20; ++attempt) {
    std::vector<async::Task<void>> tasks;
    for (const MessageId id : taken) {
      tasks.push_back(try_once(id));
      tasks.back().start();
    }
    loop.run_until([&] {
      return std::all_of(tasks.begin(), tasks.end(), [](const auto& task) { return task.done(); });
    });
    flush();
  }
  reopen();
  EXPECT_EQ(recovery.messages, taken.size());
  for (const MessageId id : taken) EXPECT_EQ(message(id).attempts, 20);
}

}  // namespace
}  // namespace relayd::queue
