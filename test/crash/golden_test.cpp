// Queues of each format, kept in test/golden: this version reads them all.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "queue/queue_fixture.hpp"
#include "queue/segment.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd::queue {
namespace {

namespace fs = std::filesystem;

using test::QueueFixture;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr auto pending = RecipientState::pending;
constexpr auto delivered = RecipientState::delivered;
constexpr auto failed = RecipientState::failed;

class GoldenTest : public QueueFixture {
 protected:
  void SetUp() override {
    options.keep_failed = std::chrono::hours(24 * 365 * 100);
    QueueFixture::SetUp();
    queue.reset();
    loop.run();
    fs::remove_all(options.directory);
    options.segment_size = 16_KiB;  // the first files are small then, too
    reopen();
  }

  // One message in each state there is, by the number it is known by in its body.
  void fill() {
    number(1);
    settle(number(2, {"a@example.org", "b@example.org"}), {delivered, pending});
    queue->hold(message(number(3)));
    settle(number(4), {failed});
    doubt(number(5), "office");
    number(6, {"large@example.org"}, 70'000);
    settle(number(7), {delivered});
    queue->remove(message(number(8)));
    flush();
  }

  MessageId number(int n, const std::vector<std::string>& recipients = {"b@example.org"},
                   std::size_t size = 0) {
    return commit("Subject: " + std::to_string(n) + "\r\n\r\n" + std::string(size, 'x'), recipients);
  }

  void demand_all() {
    EXPECT_THAT(recovery.set_aside, IsEmpty());
    std::vector<MessageId> ids;
    queue->for_each([&](Message& message) { ids.push_back(message.id()); });
    ASSERT_EQ(ids.size(), 6U);
    for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(subject(ids[i]), static_cast<int>(i) + 1);
    EXPECT_EQ(message(ids[0]).state, MessageState::waiting);
    EXPECT_EQ(shipment(ids[1]).attempts, 1);
    EXPECT_THAT(look(ids[1]).states, ElementsAre(delivered, pending));
    EXPECT_EQ(message(ids[2]).state, MessageState::held);
    EXPECT_EQ(message(ids[3]).state, MessageState::failed);
    EXPECT_TRUE(shipment(ids[4]).in_doubt());
    EXPECT_EQ(shipment(ids[4]).doubted, "office");
    const Content large = read(ids[5]);
    EXPECT_EQ(large.size, 70'014U);
    EXPECT_EQ(large.envelope.sender, "a@example.org");
    EXPECT_EQ(large.envelope.recipients[0].address, "large@example.org");
    settle_down();
    for (const MessageId id : {ids[1], ids[3]}) demand_replies(id);
  }

  void demand_replies(MessageId id) {
    const std::vector<HistoryEvent> events = run_task(queue->history(message(id)), &loop);
    ASSERT_FALSE(events.empty());
    EXPECT_EQ(events.back().outcome.host, "mx.example.net:587");
    for (const RecipientOutcome& recipient : events.back().outcome.recipients)
      EXPECT_EQ(recipient.text, "4.2.0 later");
  }

  int subject(MessageId id) {
    const Content content = read(id);
    std::string head = content.body.substr(0, 10);
    if (content.file >= 0) {
      head.resize(10);
      EXPECT_EQ(::pread(content.file, head.data(), head.size(), 0), 10);
    }
    return head.back() - '0';
  }
};

// What it leaves in the build folder is what a release adds to test/golden.
TEST_F(GoldenTest, AQueueOfThisVersionIsRead) {
  fill();
  queue.reset();
  loop.run();
  const fs::path golden = fs::path(BUILD_DIR) / "golden" / std::to_string(format_version);
  fs::remove_all(golden);
  fs::create_directories(golden.parent_path());
  fs::copy(options.directory, golden, fs::copy_options::recursive);
  reopen();
  demand_all();
}

TEST_F(GoldenTest, EveryQueueOfAnEarlierVersionIsReadAgainAndAgain) {
  for (const auto& golden : fs::directory_iterator(fs::path(PROJECT_DIR) / "test/golden")) {
    if (!golden.is_directory()) continue;
    SCOPED_TRACE(golden.path());
    queue.reset();
    loop.run();
    fs::remove_all(options.directory);
    fs::copy(golden, options.directory, fs::copy_options::recursive);
    for (int start = 0; start < 3; ++start) {
      reopen();
      demand_all();
    }
  }
}

// A relayd that knows format 1 alone looks at journal/ only: it has to find a header that it refuses before
// anything is recorded elsewhere.
TEST_F(GoldenTest, AQueueOfFormat1ThatWasOpenedIsRefusedByWhatWroteIt) {
  queue.reset();
  loop.run();
  fs::remove_all(options.directory);
  fs::copy(fs::path(PROJECT_DIR) / "test/golden/1", options.directory, fs::copy_options::recursive);
  queue = std::make_unique<Queue>(loop, workers, fresh_disk(), options);
  queue->load({});
  unsigned newer = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(options.directory) / "journal")) {
    std::ifstream file(entry.path(), std::ios::binary);
    newer += decode_header(std::string(std::istreambuf_iterator<char>(file), {})).version == format_version;
  }
  EXPECT_EQ(newer, 1U);
}

// The same on a disk that loses its power.
class MigrationTest : public GoldenTest {
 protected:
  disk::Disk& fresh_disk() override { return *memory; }

  void renew() {
    queue.reset();
    loop.run();
    memory = std::make_unique<test::ForgettingDisk>();
    memory->shake();
    for (const std::string name : {"journal", "large"}) {
      memory->make_directory(name);
      for (const auto& entry : fs::directory_iterator(fs::path(PROJECT_DIR) / "test/golden/1" / name)) {
        std::ifstream file(entry.path(), std::ios::binary);
        const auto copy = memory->create(name + "/" + entry.path().filename().string());
        copy->write_at(0, std::string(std::istreambuf_iterator<char>(file), {}));
        copy->sync_data();
      }
      memory->sync_directory(name);
    }
    memory->sync_directory(".");
  }

  // Mail goes on meanwhile: what is free is used.
  void work() {
    queue.reset();
    loop.run();
    try {
      reopen();
      for (int i = 0; i < 4 && !memory->dead(); ++i) commit(std::string(5'000, 'y'));
      async::Task<void> flushed = queue->flush();
      flushed.start();
      loop.run_until([&] { return flushed.done() || memory->dead(); });
      if (!flushed.done()) queue.reset();  // before the task that it would wake
    } catch (const QueueError&) {
      // The power is gone.
    }
    queue.reset();
    loop.run();
  }

  std::unique_ptr<test::ForgettingDisk> memory = std::make_unique<test::ForgettingDisk>();
};

TEST_F(MigrationTest, AMigrationThatIsCutAnywhereIsMadeAgain) {
  renew();
  const std::size_t before = memory->calls();
  work();
  const std::size_t calls = memory->calls() - before;
  ASSERT_GT(calls, 20U);
  for (std::size_t call = 1; call <= calls; ++call) {
    for (const unsigned seed : {static_cast<unsigned>(call % 2), static_cast<unsigned>(call + 2)}) {
      SCOPED_TRACE(fmt::format("call {} of {}, seed {}", call, calls, seed));
      renew();
      memory->arm(call, test::ForgettingDisk::Fault::power_fails);
      work();
      memory->restart(seed);
      loop.advance(std::chrono::seconds(1));
      reopen();
      for (const MessageId id : queue->ids())
        if (read(id).body.ends_with("yyy")) queue->remove(message(id));
      flush();
      demand_all();
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace relayd::queue
