// The table of FORMAT.md, "What a crash can leave", row by row: each test makes the state of its row and
// demands that the next start finds what the row promises.
#include <fmt/format.h>

#include <thread>

#include "queue/index.hpp"
#include "queue/queue_fixture.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd::queue {
namespace {

using test::ForgettingDisk;
using test::QueueFixture;
using test::run_task;
using testing::Contains;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr unsigned seeds = 4;  // 0: only what was synced stays, 1: all that was written; others: some of it

// What a commit into a segment that is full does, call by call: the next segment is made, then written.
constexpr std::size_t create = 1, header = 2, header_sync = 3, rename = 4, directory_sync = 5, records = 6,
                      zeroes = 7, records_sync = 8;

class FormatRow : public QueueFixture {
 protected:
  void SetUp() override {
    options.segment_size = 16_KiB;
    options.inline_limit = 16_KiB;
    options.reserve = 0_B;
    renew();
  }

  disk::Disk& fresh_disk() override { return *memory; }

  // A new queue on a new disk.
  void renew() {
    queue.reset();
    loop.run();
    memory = std::make_unique<ForgettingDisk>();
    reopen();
  }

  void restart(unsigned seed) {
    stop(seed);
    loop.advance(std::chrono::seconds(1));
    reopen();
    EXPECT_THAT(recovery.set_aside, IsEmpty());
  }
  void stop(unsigned seed) {
    queue.reset();
    loop.run();
    memory->restart(seed);
  }

  bool taken(std::size_t size) {
    try {
      commit(std::string(size, 'x'));
      return true;
    } catch (const QueueError&) {
      return false;
    }
  }

  // The power fails in call `call` of a commit that needs a fresh segment; only the message before it was
  // taken.
  void cut_commit(std::size_t call, unsigned seed) {
    SCOPED_TRACE(fmt::format("call {}, seed {}", call, seed));
    renew();
    const MessageId first = commit(std::string(10'000, 'a'));
    memory->arm(call, ForgettingDisk::Fault::power_fails);
    EXPECT_FALSE(taken(10'000));
    restart(seed);
    EXPECT_EQ(read(first).body, std::string(10'000, 'a'));
    EXPECT_LE(recovery.messages, 2U);
    EXPECT_TRUE(taken(100));
  }

  std::vector<std::string> files(const std::string& prefix) const {
    std::vector<std::string> found;
    for (const auto& [path, size] : memory->sizes())
      if (path.starts_with(prefix)) found.push_back(path);
    return found;
  }

  std::string contents(const std::string& path) {
    const std::unique_ptr<disk::File> file = memory->open(path);
    std::string bytes(file->size(), '\0');
    file->read_at(0, bytes.data(), bytes.size());
    return bytes;
  }

  std::unique_ptr<ForgettingDisk> memory;
};

TEST_F(FormatRow, Row01AFreeFileWithAnyHeaderMeansNothing) {
  for (unsigned seed = 0; seed < seeds; ++seed)
    for (const std::size_t call : {create, header, header_sync}) cut_commit(call, seed);
}

TEST_F(FormatRow, Row02AFileUnderEitherNameIsFreeOrAnEmptySegment) {
  for (unsigned seed = 0; seed < seeds; ++seed)
    for (const std::size_t call : {rename, directory_sync}) cut_commit(call, seed);
}

TEST_F(FormatRow, Row03ATornBatchCostsNothingThatWasAnswered) {
  for (unsigned seed = 0; seed < seeds; ++seed)
    for (const std::size_t call : {records, records_sync}) cut_commit(call, seed);
}

// 40 clients hand in 400 KiB in one turn: the batch is written in several calls before its one sync.
TEST_F(FormatRow, Row03ABatchThatWasWrittenInPartsIsTornLikeAnyOther) {
  options.segment_size = 1_MiB;
  for (std::size_t call = 1; call <= 8; ++call) {
    for (unsigned seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(fmt::format("call {}, seed {}", call, seed));
      renew();
      const MessageId first = commit("first\r\n");
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
    }
  }
}

TEST_F(FormatRow, Row04ABatchThatWasSyncedAndNotAnsweredIsThere) {
  Envelope envelope;
  envelope.recipients = {{"b@example.org", "", ""}};
  auto client = std::make_unique<async::Task<MessageId>>(commit_task("under way\r\n", envelope));
  const std::size_t synced = memory->calls() + 3;  // the record, zeroes ahead of it, the sync
  client->start();
  loop.run();
  while (memory->calls() < synced) std::this_thread::yield();
  client.reset();  // it never hears of it
  restart(0);
  ASSERT_EQ(recovery.messages, 1U);
  EXPECT_EQ(read(queue->ids().front()).body, "under way\r\n");
}

TEST_F(FormatRow, Row05WhatReachedTheDiskOfAFailedBatchIsVoid) {
  for (unsigned seed = 0; seed < seeds; ++seed) {
    renew();
    const MessageId first = commit("first\r\n");
    memory->arm(2, ForgettingDisk::Fault::fails_once, EIO);  // the sync: all bytes are written
    EXPECT_FALSE(taken(100));
    restart(seed);
    EXPECT_EQ(recovery.messages, 1U);
    EXPECT_TRUE(queue->find(first));
  }
  // And when only the process ends, and the bytes can still be read.
  commit("second\r\n");
  memory->arm(2, ForgettingDisk::Fault::fails_once, EIO);
  EXPECT_FALSE(taken(100));
  reopen();
  EXPECT_EQ(recovery.messages, 2U);
}

TEST_F(FormatRow, Row06ASegmentThatNobodyWroteToIsPassedOver) {
  for (unsigned seed = 0; seed < seeds; ++seed) {
    renew();
    const MessageId first = commit(std::string(10'000, 'a'));
    memory->arm(directory_sync, ForgettingDisk::Fault::fails_on, EIO);
    EXPECT_FALSE(taken(10'000));
    EXPECT_THAT(files("journal/"), Contains("journal/0000000000000002.journal"));
    memory->heal();
    flush();
    const MessageId second = commit(std::string(10'000, 'b'));
    restart(seed);
    EXPECT_EQ(recovery.messages, 2U);
    EXPECT_TRUE(queue->find(first) && queue->find(second));
    EXPECT_THAT(files("journal/"), Not(Contains("journal/0000000000000002.journal")));
  }
}

TEST_F(FormatRow, Row07ZeroesBehindTheEndAreNoRecords) {
  for (unsigned seed = 0; seed < seeds; ++seed) cut_commit(zeroes, seed);
}

TEST_F(FormatRow, Row08AHalfReceivedLargeBodyIsRemoved) {
  for (unsigned seed = 0; seed < seeds; ++seed) {
    renew();
    auto draft = std::make_unique<Draft>(queue->draft());
    draft->append(std::string(40'000, 'x'));
    run_task(draft->flush(), &loop);
    memory->arm(1, ForgettingDisk::Fault::power_fails);
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
      memory->arm(call, ForgettingDisk::Fault::power_fails);
      taken(40'000);
      restart(seed);
      EXPECT_EQ(files("large/").size(), recovery.messages);
      for (const MessageId id : queue->ids()) EXPECT_EQ(read(id).body, std::string(40'000, 'x'));
    }
  }
}

TEST_F(FormatRow, Row10ABodyWhoseMessageEndedIsRemoved) {
  const MessageId id = commit(std::string(40'000, 'x'));
  memory->arm(3, ForgettingDisk::Fault::power_fails);  // the outcome, its sync; then the file
  Outcome outcome;
  outcome.recipients = {{0, delivered, 250, "ok"}};
  queue->settle(message(id), outcome);
  loop.run();
  stop(0);
  EXPECT_EQ(files("large/").size(), 1U);
  restart(0);
  EXPECT_EQ(recovery.messages, 0U);
  EXPECT_THAT(files("large/"), IsEmpty());
}

TEST_F(FormatRow, Row11DoubtIsThereWhenTheOutcomeNeverCame) {
  const MessageId id = commit("x\r\n");
  run_task(queue->mark_in_doubt(message(id), "mailgun"), &loop);
  memory->arm(1, ForgettingDisk::Fault::power_fails);
  restart(0);
  EXPECT_TRUE(message(id).in_doubt);
  EXPECT_EQ(message(id).doubted, "mailgun");
  EXPECT_EQ(recovery.in_doubt, 1U);
}

TEST_F(FormatRow, Row12AReplyThatWasNotRecordedLeavesDoubt) {
  for (const std::size_t call : {1U, 2U}) {  // the outcome, its sync
    renew();
    const MessageId id = commit("x\r\n");
    run_task(queue->mark_in_doubt(message(id), "mailgun"), &loop);
    memory->arm(call, ForgettingDisk::Fault::power_fails);
    Outcome outcome;
    outcome.recipients = {{0, delivered, 250, "ok"}};
    queue->settle(message(id), outcome);
    loop.run();
    restart(0);
    EXPECT_TRUE(message(id).in_doubt);
  }
}

// A message that stays while others come and go, until its record is written again and its segment goes
// round.
class FormatRewrite : public FormatRow {
 protected:
  static constexpr int most_steps = 60;

  void begin() {
    options.inline_limit = 64_KiB;
    renew();
    kept_ = commit("kept\r\n", {"a@example.org", "b@example.org"});
    settle(kept_, {delivered, pending});
    run_task(queue->mark_in_doubt(message(kept_), "mailgun"), &loop);
  }

  void step() {
    const MessageId id = commit(std::string(9'000, 'x'));
    Outcome outcome;
    outcome.recipients = {{0, delivered, 250, "ok"}};
    queue->settle(message(id), outcome);
    async::Task<void> durable = queue->flush();
    durable.start();
    loop.run_until([&] { return durable.done() || memory->dead(); });
    if (!durable.done()) queue.reset();  // before the task that it would wake
  }

  bool first_segment_is_there() const { return memory->sizes().contains("journal/0000000000000001.journal"); }
  std::uint64_t place() { return static_cast<Entry&>(message(kept_)).where.segment; }

  // Cuts the power in each call of the step in which `happens` becomes true, and demands the message after
  // it.
  void cut_when(const std::function<bool()>& happens) {
    begin();
    int steps = 0;
    std::size_t before = memory->calls();
    for (; steps < most_steps && !happens(); ++steps) {
      before = memory->calls();
      step();
    }
    ASSERT_TRUE(happens());
    const std::size_t calls = memory->calls() - before;
    for (std::size_t call = 1; call <= calls; ++call)
      for (unsigned seed = 0; seed < seeds; ++seed) cut(steps - 1, call, seed);
  }

  void cut(int steps, std::size_t call, unsigned seed) {
    SCOPED_TRACE(fmt::format("after {} steps, call {}, seed {}", steps, call, seed));
    begin();
    for (int i = 0; i < steps; ++i) step();
    memory->arm(call, ForgettingDisk::Fault::power_fails);
    try {
      step();
    } catch (const QueueError&) {
      // Refused: the power was gone.
    }
    restart(seed);
    ASSERT_TRUE(queue->find(kept_));
    EXPECT_EQ(message(kept_).doubted, "mailgun");
    const Content content = read(kept_);
    EXPECT_EQ(content.body, "kept\r\n");
    EXPECT_EQ(content.states, (std::vector{delivered, pending}));
    EXPECT_LE(recovery.messages, 2U);  // one may have been under way
  }

  MessageId kept_;
};

TEST_F(FormatRewrite, Row13OfTwoRecordsTheYoungerReplacesTheOlder) {
  cut_when([this] { return place() != 1; });
}

TEST_F(FormatRewrite, Row14TheOldestSegmentIsThereOrNot) {
  cut_when([this] { return !first_segment_is_there(); });
}

TEST_F(FormatRewrite, Row15ARetiredSegmentNeverGetsItsNewHeaderUnderItsOldName) {
  // Its file is in use again in one of the steps after it was retired.
  for (int later = 1; later <= 3; ++later) {
    int steps = 0;
    cut_when([&] { return !first_segment_is_there() && ++steps > later; });
  }
}

TEST_F(FormatRow, Row16AStartThatWasCutShortIsMadeAgain) {
  const std::string copy = "quarantine/0000000000000001-4096", segment = "journal/0000000000000001.journal";
  MessageId second;
  std::string damaged;  // the segment
  const auto damage_first = [&] {
    renew();
    commit("damaged\r\n");
    second = commit("second\r\n");
    queue.reset();
    loop.run();
    memory->damage(segment, 4096 + 64);
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
        // As a start on a disk without power does.
      }
      stop(seed);
      reopen();
      EXPECT_EQ(read(second).body, "second\r\n");
      EXPECT_EQ(recovery.messages, 1U);
      stop(0);
      EXPECT_EQ(files("quarantine/"), std::vector{copy});
      EXPECT_EQ(contents(copy), damaged.substr(4096, size));
    }
  }
}

}  // namespace
}  // namespace relayd::queue
