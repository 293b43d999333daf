// Queues that earlier versions wrote, kept in test/golden, one folder for each format: this version reads
// them all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "queue/queue_fixture.hpp"
#include "queue/segment.hpp"

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
    options.segment_size = 16_KiB;
    reopen();
  }

  // One message in each state there is, by the number it is known by in its body.
  void fill() {
    number(1);
    settle(number(2, {"a@example.org", "b@example.org"}), {delivered, pending});
    queue->hold(message(number(3)));
    settle(number(4), {failed});
    run_task(queue->mark_in_doubt(message(number(5)), "office"), &loop);
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
    queue->for_each([&](Message& message) { ids.push_back(message.id); });
    ASSERT_EQ(ids.size(), 6U);
    for (std::size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(subject(ids[i]), static_cast<int>(i) + 1);
    EXPECT_EQ(message(ids[0]).state, MessageState::waiting);
    EXPECT_EQ(message(ids[1]).attempts, 1);
    EXPECT_THAT(read(ids[1]).states, ElementsAre(delivered, pending));
    EXPECT_EQ(message(ids[2]).state, MessageState::held);
    EXPECT_EQ(message(ids[3]).state, MessageState::failed);
    EXPECT_TRUE(message(ids[4]).in_doubt);
    EXPECT_EQ(message(ids[4]).doubted, "office");
    const Content large = read(ids[5]);
    EXPECT_GE(large.file, 0);
    EXPECT_EQ(large.size, 70'014U);
    EXPECT_EQ(large.envelope.sender, "a@example.org");
    EXPECT_EQ(large.envelope.recipients[0].address, "large@example.org");
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
  const fs::path golden = fs::path("golden") / std::to_string(format_version);
  fs::remove_all(golden);
  fs::create_directories(golden.parent_path());
  fs::copy(options.directory, golden, fs::copy_options::recursive);
  reopen();
  demand_all();
}

TEST_F(GoldenTest, EveryQueueOfAnEarlierVersionIsRead) {
  for (const auto& golden : fs::directory_iterator(fs::path(PROJECT_DIR) / "test/golden")) {
    if (!golden.is_directory()) continue;
    SCOPED_TRACE(golden.path());
    queue.reset();
    loop.run();
    fs::remove_all(options.directory);
    fs::copy(golden, options.directory, fs::copy_options::recursive);
    reopen();
    demand_all();
  }
}

}  // namespace
}  // namespace relayd::queue
