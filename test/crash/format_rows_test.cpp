// The table of FORMAT.md, "What a crash can leave", row by row: each test makes the state of its row and
// demands that the next start finds what the row promises. Rows 1 to 4, 15 and 17 are met at every call and
// in many ways in queue_crash_test.cpp, too; row 20 is in golden_test.cpp.
#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "crash/format_row.hpp"
#include "queue/ground.hpp"
#include "queue/index.hpp"
#include "queue/segment.hpp"

namespace relayd::queue {
namespace {

using test::run_task;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr unsigned seeds = 4;  // 0: only what was synced stays, 1: all that was written; others: some of it

// What a commit does, call by call, be it into a segment that goes on or into a fresh one.
constexpr std::size_t records = 1, records_sync = 2;

TEST_F(FormatRow, Row01AFileThatIsBeingMadeIsFree) {
  for (std::size_t call = 1; call <= 12; ++call) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(fmt::format("call {}, seed {}", call, seed));
      queue.reset();
      loop.run();
      memory = std::make_unique<ForgettingDisk>();
      memory->arm(call, ForgettingDisk::Fault::power_fails);
      try {
        reopen();
      } catch (const QueueError&) {
      }
      restart(seed);
      EXPECT_TRUE(taken(100));
    }
  }
}

// A kill leaves names that only the kernel knows. What is answered afterwards must not stand in a file that
// the next power cut takes away.
TEST_F(FormatRow, Row01AFileWhoseNameWasNotSyncedIsThereAfterTheNextPowerCut) {
  queue.reset();
  loop.run();
  for (const std::string& path : files("")) memory->remove(path);
  for (const char* name : {"journal/000000000000000{}.journal", "state/000000000000000{}.state"}) {
    memory->sync_directory(Ground::directory(name[0] == 'j' ? Ground::Log::messages : Ground::Log::state));
    for (int i = 1; i <= 9; ++i) {  // so many that no more are made, which would sync the directory
      const std::unique_ptr<disk::File> file = memory->create(fmt::format(fmt::runtime(name), i));
      file->write_at(0, std::string(16 << 10, '\0'));
      file->sync_data();
    }
  }
  memory->revive();
  reopen();
  const std::vector<MessageId> held = {commit("a"), commit("b")};
  for (const MessageId id : held) queue->hold(message(id));
  flush();
  restart(0);
  for (const MessageId id : held) EXPECT_EQ(message(id).state, MessageState::held);
}

TEST_F(FormatRow, Row02ATornFirstBatchIsNoDamage) {
  for (unsigned seed = 0; seed < 4 * seeds; ++seed)
    for (const std::size_t call : {records, records_sync}) cut_commit(call, seed);
}

TEST_F(FormatRow, Row04ATornBatchCostsNothingThatWasAnswered) {
  for (unsigned seed = 0; seed < seeds; ++seed) {
    for (const std::size_t call : {records, records_sync}) {
      renew();
      const MessageId first = commit("first\r\n");
      arm(call);
      EXPECT_FALSE(taken(2'000));
      restart(seed);
      EXPECT_EQ(read(first).body, "first\r\n");
    }
  }
}

// 40 clients hand in 400 KiB in one turn: the batch is written in several calls before its one sync.
TEST_F(FormatRow, Row04ABatchThatWasWrittenInPartsIsTornLikeAnyOther) {
  options.segment_size = 1_MiB;
  for (std::size_t call = 1; call <= 4; ++call) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(fmt::format("call {}, seed {}", call, seed));
      renew();
      const MessageId first = commit("first\r\n");
      settle_down();
      Envelope envelope;
      envelope.recipients = {{"b@example.org", "", ""}};
      // The last ones are small enough to survive whole behind a hole.
      std::vector<std::string> bodies(28, std::string(10'000, 'b'));
      bodies.resize(40, std::string(100, 'c'));
      std::vector<async::Task<MessageId>> clients;
      for (const std::string& body : bodies) clients.push_back(commit_task(body, envelope));
      memory->arm(call, ForgettingDisk::Fault::power_fails);
      std::size_t before = memory->calls();
      for (std::size_t i = 0; i < clients.size(); ++i) {
        clients[i].start();
        if (i % 14 != 13) continue;
        // So much is worth a call while the turn goes on.
        while (memory->calls() == before && !memory->dead()) std::this_thread::yield();
        before = memory->calls();
      }
      std::vector<MessageId> answered;
      for (async::Task<MessageId>& client : clients) {
        loop.run_until([&] { return client.done(); });
        try {
          answered.push_back(client.result());
        } catch (const QueueError&) {
          // Refused.
        }
      }
      clients.clear();
      restart(seed);
      EXPECT_EQ(read(first).body, "first\r\n");
      for (const MessageId id : answered) EXPECT_TRUE(queue->find(id));
      for (const MessageId id : queue->ids())
        EXPECT_TRUE(id == first || testing::Value(bodies, Contains(read(id).body)));
      // And what was left out is void for ever, once there is more.
      EXPECT_TRUE(taken(100));
      restart(0);
    }
  }
}

// S1 is torn, S2 says so, is retired, and its file is used for something else.
TEST_F(FormatRow, Row04ATornSegmentIsNoDamageOnceItsSuccessorWasRetired) {
  const std::string body(900, 'a');
  for (unsigned seed = 2; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    renew();
    const MessageId first = commit("first");
    arm(records_sync);
    std::vector<async::Task<MessageId>> tasks;
    for (int i = 0; i < 4; ++i) {
      Envelope envelope;
      envelope.recipients.push_back({"b@example.org", "", ""});
      tasks.push_back(commit_task(body, std::move(envelope)));
    }
    for (auto& task : tasks) task.start();
    loop.run_until([&] { return std::ranges::all_of(tasks, [](const auto& task) { return task.done(); }); });
    restart(seed);
    for (int i = 0; i < 8; ++i) {
      queue->remove(message(commit(std::string(5'000, 'x'))));
      settle_down();
    }
    memory->arm(1, ForgettingDisk::Fault::power_fails);
    restart(0);
    EXPECT_NE(queue->find(first), nullptr);
  }
}

TEST_F(FormatRow, Row05ABatchThatWasSyncedAndNotAnsweredIsThere) {
  settle_down();
  Envelope envelope;
  envelope.recipients = {{"b@example.org", "", ""}};
  auto client = std::make_unique<async::Task<MessageId>>(commit_task("under way\r\n", envelope));
  const std::size_t synced = memory->calls() + 2;  // the record, the sync
  client->start();
  loop.run();
  while (memory->calls() < synced) std::this_thread::yield();
  client.reset();  // it never hears of it
  restart(0);
  ASSERT_EQ(recovery.messages, 1U);
  EXPECT_EQ(read(queue->ids().front()).body, "under way\r\n");
}

TEST_F(FormatRow, Row06WhatReachedTheDiskOfAFailedBatchIsVoid) {
  for (unsigned seed = 0; seed < seeds; ++seed) {
    renew();
    const MessageId first = commit("first\r\n");
    arm(records_sync, ForgettingDisk::Fault::fails_once);  // all bytes are written
    EXPECT_FALSE(taken(100));
    restart(seed);
    EXPECT_EQ(recovery.messages, 1U);
    EXPECT_TRUE(queue->find(first));
  }
  // And when only the process ends, and the bytes can still be read.
  commit("second\r\n");
  arm(records_sync, ForgettingDisk::Fault::fails_once);
  EXPECT_FALSE(taken(100));
  reopen();
  EXPECT_EQ(recovery.messages, 2U);
}

TEST_F(FormatRow, Row07ASegmentThatNothingDurableWasWrittenToIsPassedOver) {
  for (unsigned seed = 0; seed < seeds; ++seed) {
    renew();
    const MessageId first = commit(std::string(5'000, 'a'));
    arm(records, ForgettingDisk::Fault::fails_on);
    EXPECT_FALSE(taken(5'000));
    memory->heal();
    while (!taken(5'000)) std::this_thread::yield();  // for a second at most it is not tried again
    restart(seed);
    EXPECT_EQ(recovery.messages, 2U);
    EXPECT_TRUE(queue->find(first));
  }
}

// The fresh segment that a failure opened is given up at the next one, while a checkpoint goes by it.
TEST_F(FormatRow, Row07TwoFailuresInARowLeaveNoMissingSegment) {
  std::mt19937 random(7);
  for (int trial = 0; trial < 40; ++trial) {
    SCOPED_TRACE(trial);
    renew();
    const MessageId id = commit("x");
    const auto defer = [&](unsigned times) {
      for (unsigned i = 0; i < times; ++i) settle(id, {pending});
    };
    defer(30);
    memory->arm(1 + random() % 60, ForgettingDisk::Fault::fails_once);
    const std::size_t before = troubles.size();
    for (int i = 0; i < 40 && troubles.size() == before; ++i) defer(1);
    memory->arm(1 + random() % 4, ForgettingDisk::Fault::fails_once);
    defer(40 + random() % 200);
    memory->heal();
    restart(0);
  }
}

TEST_F(FormatRow, Row08AHalfReceivedLargeBodyIsRemoved) {
  for (unsigned seed = 0; seed < seeds; ++seed) {
    renew();
    auto draft = std::make_unique<Draft>(queue->draft());
    draft->append(std::string(40'000, 'x'));
    run_task(draft->flush(), &loop);
    arm(1);
    draft.reset();
    stop(seed);
    EXPECT_TRUE(seed != 1 || files("large/").size() == 1);
    restart(0);
    EXPECT_THAT(files("large/"), IsEmpty());
  }
}

TEST_F(FormatRow, Row09ALargeBodyIsWholeOrNobodyNamesIt) {
  // create, write, the rest, sync, sync of the directory; the record, zeroes, sync
  for (std::size_t call = 4; call <= 8; ++call) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(fmt::format("call {}, seed {}", call, seed));
      renew();
      arm(call);
      taken(40'000);
      restart(seed);
      EXPECT_EQ(files("large/").size(), recovery.messages);
      for (const MessageId id : queue->ids()) EXPECT_EQ(read(id).body, std::string(40'000, 'x'));
    }
  }
}

TEST_F(FormatRow, Row10ABodyWhoseMessageEndedIsRemoved) {
  settle(commit("another\r\n"), {delivered});  // the state log has a segment
  const MessageId id = commit(std::string(40'000, 'x'));
  arm(3);  // the outcome, its sync; then the file
  Outcome outcome;
  outcome.recipients = {{0, delivered, 250, "ok"}};
  queue->settle(shipment(id), outcome);
  loop.run();
  stop(0);
  EXPECT_EQ(files("large/").size(), 1U);
  restart(0);
  EXPECT_EQ(recovery.messages, 0U);
  EXPECT_THAT(files("large/"), IsEmpty());
}

TEST_F(FormatRow, Row11DoubtIsThereWhenTheOutcomeNeverCame) {
  const MessageId id = commit("x\r\n");
  doubt(id);
  arm(1);
  restart(0);
  EXPECT_TRUE(shipment(id).in_doubt());
  EXPECT_EQ(shipment(id).doubted, "mailgun");
  EXPECT_EQ(recovery.in_doubt.size(), 1U);
}

TEST_F(FormatRow, Row12AReplyThatWasNotRecordedLeavesDoubt) {
  for (const std::size_t call : {1U, 2U}) {  // the outcome, its sync
    renew();
    const MessageId id = commit("x\r\n");
    doubt(id);
    arm(call);
    Outcome outcome;
    outcome.recipients = {{0, delivered, 250, "ok"}};
    queue->settle(shipment(id), outcome);
    loop.run();
    restart(0);
    EXPECT_TRUE(shipment(id).in_doubt());
  }
}

TEST_F(FormatRow, Row18AnEndThatIsCutShortIsOneAllTheSame) {
  for (std::size_t call = 1; call <= 8; ++call) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(fmt::format("call {}, seed {}", call, seed));
      renew();
      const MessageId waits = commit("waits\r\n");
      const MessageId ends = commit("ends\r\n");
      settle(ends, {delivered});
      arm(call);
      restart(seed);
      EXPECT_EQ(recovery.messages, 1U);
      EXPECT_TRUE(queue->find(waits));
      restart(0);
      EXPECT_EQ(recovery.messages, 1U);
    }
  }
}

TEST_F(FormatRow, Row18WhatIsTakenAfterAnOrderlyEndIsThereAfterAKill) {
  for (const unsigned seed : {0U, 1U}) {
    renew();
    const MessageId first = commit("first\r\n");
    restart(seed);
    const MessageId second = commit("second\r\n");
    arm(1);
    restart(seed);
    EXPECT_EQ(recovery.messages, 2U);
    EXPECT_TRUE(queue->find(first) && queue->find(second));
  }
}

TEST_F(FormatRow, Row21WhatWasRefusedStaysSoWhenTheQueueStopsInGoodOrder) {
  const MessageId first = commit("first\r\n");
  Envelope envelope;
  envelope.sender = envelope.routing_sender = "a@example.org";
  envelope.recipients = {{"b@example.org", "", ""}};
  const std::string body(100, 'x');
  async::Task<MessageId> one = commit_task(body, envelope), other = commit_task(body, envelope);
  arm(records_sync, ForgettingDisk::Fault::fails_on);
  for (async::Task<MessageId>* const client : {&one, &other}) client->start();
  for (async::Task<MessageId>* const client : {&one, &other}) {
    loop.run_until([client] { return client->done(); });
    EXPECT_THROW(client->result(), QueueError);
  }
  memory->heal();
  restart(1);
  EXPECT_TRUE(taken(100));  // as long as the first of the two
  arm(1);                   // a kill
  restart(1);
  EXPECT_EQ(recovery.messages, 2U);
  EXPECT_TRUE(queue->find(first));
}

TEST_F(FormatRow, Row19AStartThatWasCutShortIsMadeAgain) {
  const std::string copy = "quarantine/0000000000000001-8192", segment = "journal/0000000000000001.journal";
  MessageId second;
  std::string damaged;  // the segment
  const auto damage_first = [&] {
    renew();
    commit("damaged\r\n");
    second = commit("second\r\n");
    queue.reset();
    loop.run();
    memory->damage(segment, segment_start + message_head);
    damaged = contents(segment);
  };
  damage_first();
  reopen();
  const std::size_t size = memory->sizes().at(copy);
  for (std::size_t call = 1; call <= 14; ++call) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(fmt::format("call {}, seed {}", call, seed));
      damage_first();
      memory->arm(call, ForgettingDisk::Fault::power_fails);
      try {
        reopen();
      } catch (const QueueError&) {
      }
      stop(seed);
      reopen();
      EXPECT_EQ(read(second).body, "second\r\n");
      EXPECT_EQ(recovery.messages, 1U);
      stop(0);
      EXPECT_EQ(files("quarantine/"), std::vector{copy});
      EXPECT_EQ(contents(copy), damaged.substr(segment_start, size));
    }
  }
}

}  // namespace
}  // namespace relayd::queue
