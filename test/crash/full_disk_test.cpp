// A disk that is full to its last block: the queue says so, records what becomes of what it has, and comes to
// rest.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "queue/index.hpp"
#include "queue/queue_fixture.hpp"
#include "queue/segment.hpp"
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
    co_await queue->mark_in_doubt(shipment(id), "office", recipients,
                                  loop.wall_now() + std::chrono::hours(1));
    queue->settle(shipment(id), later());
  }

  Outcome later() {
    Outcome outcome;
    outcome.when = loop.wall_now();
    outcome.next_attempt = outcome.when + std::chrono::hours(100);
    outcome.recipients = {{0, RecipientState::pending, 450, std::string(400, 'z')}};
    return outcome;
  }

  void demand_rest() {
    settle_down();
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
      for (const MessageId id : taken) queue->settle(shipment(id), later());
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
      EXPECT_EQ(shipment(id).attempts, 3U);
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
  for (const MessageId id : taken) EXPECT_EQ(shipment(id).attempts, 20);
}

// The same by the queue's own clock: whatever is due is handed out, hour after hour, on a disk that a
// neighbour has filled.
class DueOnAFullDiskTest : public FullDiskTest {
 protected:
  void SetUp() override {
    options.segment_size = 16_MiB;
    options.inline_limit = 16_KiB;
    options.reserve = 0_B;
    memory.set_capacity(200_MiB);
    reopen();
  }

  void drive(int steps) {
    for (int i = 0; i < steps; ++i) {
      loop.advance(std::chrono::milliseconds(100));
      flush();
    }
  }

  std::vector<MessageId> fill_with_little_room() {
    drive(10);
    memory.take_space({memory.free_space().count - (16 << 20)});
    return fill(1);
  }

  void demand_that_all_is_due_each_hour(std::size_t messages) {
    std::size_t handed = 0;
    queue->on_due([&](Shipment& due) {
      ++handed;
      queue->settle(due, in_an_hour());
    });
    for (std::size_t hour = 1; hour <= 5; ++hour) {
      for (int i = 0; i < 100 && handed < messages * hour; ++i) drive(20);
      EXPECT_GE(handed, messages * hour);
      loop.advance(std::chrono::hours(1));
    }
  }

  Outcome in_an_hour() {
    Outcome outcome = later();
    outcome.next_attempt = outcome.when + std::chrono::hours(1);
    return outcome;
  }
};

TEST_F(DueOnAFullDiskTest, EverythingIsHandedOutEachTimeItIsDue) {
  const std::vector<MessageId> taken = fill_with_little_room();
  ASSERT_GT(taken.size(), 5'000U);
  demand_that_all_is_due_each_hour(taken.size());
  reopen();
  loop.advance(std::chrono::hours(1));
  demand_that_all_is_due_each_hour(taken.size());
}

// Each attempt would part them, and each shipment needs room of its own.
TEST_F(DueOnAFullDiskTest, NobodyIsPartedWhereThereIsNoRoom) {
  const std::vector<std::string> six(6, "b@example.org");
  drive(10);
  memory.take_space({memory.free_space().count - (8 << 20)});
  std::vector<MessageId> taken;
  EXPECT_THROW(for (;;) taken.push_back(commit("x", six)), QueueError);
  ASSERT_GT(taken.size(), 1'000U);
  std::set<std::pair<MessageId, std::uint32_t>> tried;
  std::size_t parted = 0;
  queue->on_due([&](Shipment& due) {
    const std::vector<std::uint32_t> recipients = entry_of(*due.message).recipients_of(due);
    Outcome outcome = in_an_hour();
    outcome.recipients.clear();
    for (const std::uint32_t each : recipients) {
      if (outcome.recipients.size() * 2 > recipients.size()) break;
      const RecipientState state = each % 3 == 0 ? RecipientState::doubtful : RecipientState::pending;
      outcome.recipients.push_back({each, state, 450, "later"});
    }
    const MessageId id = due.message->id();
    queue->settle(due, outcome);
    message(id).for_each_shipment([&](const Shipment& shipment) {
      const std::vector<std::uint32_t> tried_now = entry_of(message(id)).recipients_of(shipment);
      for (const std::uint32_t each : tried_now)
        if (shipment.attempts > 0) tried.emplace(id, each);
    });
    parted += message(id).parting != nullptr;
  });
  for (int hour = 0; hour < 5; ++hour) {
    for (int i = 0; i < 100 && tried.size() < taken.size() * six.size(); ++i) drive(20);
    EXPECT_EQ(tried.size(), taken.size() * six.size()) << "hour " << hour;
    tried.clear();
    loop.advance(std::chrono::hours(1));
  }
  EXPECT_GT(parted, 0U);
  reopen();
  EXPECT_EQ(recovery.messages, taken.size());
  for (const MessageId id : taken) EXPECT_EQ(message(id).unsent(), six.size());
}

// The doubt was about all of them, so its outcome is, too: also where there is room again by then.
TEST_F(DueOnAFullDiskTest, WhoWasMarkedForLackOfRoomIsInTheOutcome) {
  drive(10);
  const MessageId id = commit("x", {"a@example.org", "b@example.org"});
  Shipment& both = shipment(id);
  queue->on_due([](Shipment&) {});
  loop.run();
  queue->on_due({});
  ASSERT_EQ(both.state, MessageState::ready);
  memory.take_space({memory.free_space().count - (8 << 20)});
  const std::vector<MessageId> others = fill(1);
  for (std::size_t i = 0; i < others.size() && !both.whole; i += 100) {
    for (std::size_t each = i; each < std::min(i + 100, others.size()); ++each)
      queue->settle(shipment(others[each]), later());
    doubt(id, "office", {0});  // once more, for one and the same attempt
  }
  ASSERT_TRUE(both.whole);
  memory.take_space(0_B);
  drive(100);
  Outcome outcome = in_an_hour();
  outcome.recipients = {{0, RecipientState::delivered, 250, "ok"}};
  queue->settle(both, outcome);
  flush();
  for (int life = 0; life < 2; ++life) {
    EXPECT_THAT(look(id).states, testing::ElementsAre(RecipientState::delivered, RecipientState::pending));
    EXPECT_FALSE(message(id).in_doubt());
    reopen();
  }
}

// However long it runs, and however often it was full: once all has gone, mail is taken again.
TEST_F(DueOnAFullDiskTest, MailIsTakenAgainOnceAllHasGone) {
  drive(10);
  memory.take_space({memory.free_space().count - (2 << 20)});
  for (int round = 0; round < 12; ++round) {
    const std::vector<MessageId> taken = fill(500);
    EXPECT_GT(taken.size(), 50U) << "round " << round;  // how many depends on what could go meanwhile
    for (int attempt = 0; attempt < 3; ++attempt) {
      for (const MessageId id : taken) queue->settle(shipment(id), later());
      flush();
    }
    for (const MessageId id : taken) queue->remove(message(id));
    drive(20);
  }
}

// A file of the state log that was made for far more, and is full of what nobody needs.
TEST_F(DueOnAFullDiskTest, ALargeFileOfOldRecordsStopsNothing) {
  memory.set_capacity(1_GiB);
  std::vector<std::string> crowd(1'000, "b@example.org");
  std::vector<std::uint32_t> all(crowd.size());
  std::iota(all.begin(), all.end(), 0U);
  std::vector<MessageId> large;
  for (int i = 0; i < 600; ++i) large.push_back(commit("x", crowd));
  for (const MessageId id : large) doubt(id, "office", all);
  for (const MessageId id : large) queue->remove(message(id));
  flush();
  const std::vector<MessageId> taken = fill_with_little_room();
  ASSERT_GT(taken.size(), 1'000U);
  demand_that_all_is_due_each_hour(taken.size());
}

// Summaries with the texts of many replies are larger than what is reckoned with.
TEST_F(DueOnAFullDiskTest, LongRepliesOfSeveralRecipientsComeToRest) {
  const std::vector<std::string> five(5, "b@example.org");
  Outcome outcome = later();
  for (std::uint32_t i = 1; i < five.size(); ++i)
    outcome.recipients.push_back({i, RecipientState::pending, 450, std::string(500, 'z')});
  std::vector<MessageId> taken;
  for (int i = 0; i < 3'000; ++i) taken.push_back(commit("x", five));
  for (std::size_t i = 0; i < taken.size(); ++i) {
    queue->settle(shipment(taken[i]), outcome);
    if (i % 50 == 0) flush();
  }
  demand_rest();
}

TEST_F(DueOnAFullDiskTest, AnOutcomeThatIsLargerThanAFileIsRecorded) {
  const std::vector<std::string> crowd(5'000, "b@example.org");
  const MessageId id = commit("x", crowd);
  drive(10);
  memory.take_space(memory.free_space());
  Outcome outcome = later();
  for (std::uint32_t i = 1; i < crowd.size(); ++i)
    outcome.recipients.push_back({i, RecipientState::pending, 450, std::string(500, 'z')});
  queue->settle(shipment(id), outcome);
  flush();
  reopen();
  EXPECT_EQ(shipment(id).attempts, 1U);
}

// The disk fills up before the timer that gives spare files back: there is one for the room that is wanted,
// too.
TEST_F(DueOnAFullDiskTest, RoomThatComesBackIsTakenWithoutAnyMail) {
  commit("x");
  memory.take_space(memory.free_space());
  loop.advance(std::chrono::milliseconds(4'500));
  while (fill(1).size() > 100) continue;
  flush();
  memory.take_space(0_B);
  const std::size_t before = memory.calls();
  drive(100);
  EXPECT_GT(memory.calls(), before);
}

// Copies of what is damaged go to quarantine/, where there is room.
TEST_F(DueOnAFullDiskTest, DamageDoesNotKeepItFromStarting) {
  const MessageId damaged = commit("MARKER"), other = commit("other");
  const Position where = entry_of(message(damaged)).where;
  std::string path;
  for (const auto& [name, size] : memory.sizes()) {
    if (!name.starts_with("journal/")) continue;
    std::string front(segment_start, '\0');
    memory.open(name)->read_at(0, front.data(), front.size());
    const HeaderVerdict verdict = decode_header(front);
    if (verdict.header && verdict.header->sequence == where.segment) path = name;
  }
  memory.arm(1, ForgettingDisk::Fault::power_fails);
  queue.reset();
  memory.restart(0);
  memory.damage(path, where.offset + message_head);
  memory.take_space(memory.free_space());
  reopen();
  EXPECT_THAT(recovery.set_aside, testing::Contains(testing::HasSubstr("not kept in quarantine")));
  EXPECT_EQ(read(other).body, "other");
}

}  // namespace
}  // namespace relayd::queue
