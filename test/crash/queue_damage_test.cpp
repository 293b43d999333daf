// A queue on disk that was cut off or changed at any octet: it opens all the same, what it sends is what was
// taken, and what is missing is named.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "queue/queue_fixture.hpp"
#include "queue/segment.hpp"

namespace relayd::queue {
namespace {

namespace fs = std::filesystem;

using test::QueueFixture;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr std::size_t header_size = 64, header_copy = 2048;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

std::string body_of(const Content& content) {
  if (content.file < 0) return content.body;
  std::string body(content.size, '\0');
  const ssize_t count = ::pread(content.file, body.data(), body.size(), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(count), content.size);
  return body;
}

// A small queue: a message with an outcome, one in doubt, one with a body of its own, and one more.
class DamageTest : public QueueFixture {
 protected:
  void SetUp() override {
    QueueFixture::SetUp();
    options.directory = (memory_.path() / "queue").string();
    options.segment_size = 16_KiB;
    reopen();
    const MessageId first = take("first\r\n", {"a@example.org", "b@example.org"});
    settle(first, {RecipientState::delivered, RecipientState::pending});
    run_task(queue->mark_in_doubt(message(take("second\r\n")), "office"), &loop);
    large_ = take(std::string(100'000, 'x'));
    last_ = take("last\r\n");
    close();
    fs::copy(options.directory, sound(), fs::copy_options::recursive);
    segment_ = segment_path(1);
    contents_ = read_file(sound() / segment_);
    const std::uint64_t generation = decode_header(contents_).header.value().generation;
    std::size_t end = segment_start;
    while (const auto record = parse_record(std::string_view(contents_).substr(end), generation))
      end += record->length;
    contents_.resize(end);
  }

  MessageId take(const std::string& body, const std::vector<std::string>& recipients = {"b@example.org"}) {
    const MessageId id = commit(body, recipients);
    bodies_[id] = body;
    return id;
  }

  void close() {
    queue.reset();
    loop.run();
  }

  fs::path sound() const { return memory_.path() / "sound"; }

  // The queue as it was, but for what a file of it holds. Not open yet.
  void replace(const fs::path& file, const std::string& contents) {
    close();
    fs::remove_all(options.directory);
    fs::copy(sound(), options.directory, fs::copy_options::recursive);
    write_file(fs::path(options.directory) / file, contents);
  }

  // What is there is what was taken; returns how many messages that are. And the queue works.
  std::size_t demand_sound() {
    std::vector<MessageId> found;
    queue->for_each([&](Message& message) { found.push_back(message.id); });
    for (const MessageId id : found) EXPECT_EQ(body_of(read(id)), bodies_.at(id));
    loop.advance(std::chrono::seconds(1));
    commit("and it works\r\n");
    return found.size();
  }

  // Thousands of starts on a disk that syncs take minutes.
  test::TemporaryDirectory memory_{"/dev/shm"};
  std::map<MessageId, std::string> bodies_;
  MessageId large_;
  MessageId last_;
  fs::path segment_;      // in the directory of the queue
  std::string contents_;  // of that segment, to the end of its last record
};

TEST_F(DamageTest, AJournalCutOffAnywhereKeepsWhatIsBeforeTheCut) {
  std::size_t before = 0;
  for (std::size_t length = segment_start; length <= contents_.size(); ++length) {
    SCOPED_TRACE(length);
    replace(segment_, contents_.substr(0, length));
    reopen();
    EXPECT_THAT(recovery.set_aside, IsEmpty());
    const std::size_t found = demand_sound();
    EXPECT_GE(found, before);
    before = found;
    if (HasFailure()) return;
  }
  EXPECT_EQ(before, bodies_.size());
}

TEST_F(DamageTest, AJournalCutOffInItsHeaderIsSetAside) {
  for (const std::size_t length : {0U, 1U, 8U, 12U, 63U, 64U, segment_start - 1}) {
    SCOPED_TRACE(length);
    replace(segment_, contents_.substr(0, length));
    reopen();
    EXPECT_THAT(recovery.set_aside, testing::Contains(HasSubstr("header is damaged")));
    EXPECT_EQ(read_file(fs::path(options.directory) / "quarantine" / segment_.filename()),
              contents_.substr(0, length));
    EXPECT_EQ(demand_sound(), 0U);
  }
}

TEST_F(DamageTest, AnyOctetThatChangesCostsAtMostWhatItIsPartOf) {
  for (std::size_t offset = 0; offset < contents_.size(); ++offset) {
    if (offset == header_size) offset = segment_start;  // zeroes and a copy that nobody reads
    SCOPED_TRACE(offset);
    std::string damaged = contents_;
    damaged[offset] = static_cast<char>(damaged[offset] ^ 0x20);
    replace(segment_, damaged);
    reopen();
    const bool is_last = !queue->find(last_) && recovery.set_aside.empty();
    const std::size_t found = demand_sound();
    if (offset < segment_start) {
      EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("header is damaged")));
      EXPECT_EQ(found, bodies_.size());
    } else if (is_last) {
      // The end of a journal that nobody closed: no later record proves that this one had been durable.
      EXPECT_EQ(found, bodies_.size() - 1);
    } else {
      EXPECT_THAT(recovery.set_aside, Not(IsEmpty()));
      EXPECT_GE(found, bodies_.size() - 1);
    }
    if (HasFailure()) return;
  }
}

TEST_F(DamageTest, ASegmentWithoutAnyHeaderIsSetAside) {
  std::string damaged = contents_;
  damaged[0] = damaged[header_copy] = 'x';
  replace(segment_, damaged);
  reopen();
  EXPECT_THAT(recovery.set_aside, testing::Contains(HasSubstr("header is damaged")));
  EXPECT_EQ(read_file(fs::path(options.directory) / "quarantine" / segment_.filename()), damaged);
  EXPECT_EQ(demand_sound(), 0U);
}

TEST_F(DamageTest, ALargeBodyThatChangedIsHeldAndNeverSent) {
  const fs::path file = fs::path("large") / to_string(large_);
  const std::string body = bodies_.at(large_);
  for (const std::string& damaged :
       {body.substr(0, 50'000), std::string(), body + "x", "y" + body.substr(1)}) {
    replace(file, damaged);
    reopen();
    EXPECT_THROW(read(large_), QueueError);
    EXPECT_EQ(message(large_).state, MessageState::held);
    EXPECT_THAT(troubles, testing::Contains(HasSubstr(to_string(large_))));
  }
}

TEST_F(DamageTest, ALargeBodyThatIsMissingIsHeldAndNamed) {
  replace(segment_, contents_);
  fs::remove(fs::path(options.directory) / "large" / to_string(large_));
  reopen();
  EXPECT_EQ(message(large_).state, MessageState::held);
  EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr(to_string(large_))));
}

TEST_F(DamageTest, AFileThatIsNotOursIsNamedAndLeftAlone) {
  for (const std::string name :
       {"core", "0000000000000001.journal~", "1.journal", "0000000000000000.journal"}) {
    replace(fs::path("journal") / name, "whatever");
    reopen();
    EXPECT_THAT(recovery.set_aside, ElementsAre(HasSubstr("journal/" + name)));
    EXPECT_EQ(read_file(fs::path(options.directory) / "journal" / name), "whatever");
    EXPECT_EQ(demand_sound(), bodies_.size());
  }
}

}  // namespace
}  // namespace relayd::queue
