// DamageTest: a queue on a disk in memory that can be damaged, and what a start makes of it.
//
// Most starts are those of a Replay alone, on a disk that ignores changes: it is what a start finds, and
// takes a fraction of a millisecond.
#pragma once

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "queue/index.hpp"
#include "queue/queue_fixture.hpp"
#include "queue/replay.hpp"
#include "queue/segment.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd::queue {

using test::ForgettingDisk;

// Reads what another disk has; what would change it is left out.
class FrozenDisk final : public disk::Disk {
 public:
  explicit FrozenDisk(disk::Disk& disk) : disk_(disk) {}
  bool hold(const std::string&) override { return true; }
  std::unique_ptr<disk::File> create(const std::string&) override {
    return std::make_unique<Frozen>(nullptr);
  }
  std::unique_ptr<disk::File> open(const std::string& path) override {
    return std::make_unique<Frozen>(disk_.open(path));
  }
  void rename(const std::string&, const std::string&) override {}
  void remove(const std::string&) override {}
  void make_directory(const std::string&) override {}
  void sync_directory(const std::string&) override {}
  std::vector<std::string> list(const std::string& path) override { return disk_.list(path); }
  Bytes free_space() override { return 1_GiB; }
  bool persistent() override { return true; }

 private:
  struct Frozen final : disk::File {
    explicit Frozen(std::unique_ptr<disk::File> under) : file(std::move(under)) {}
    std::size_t read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
      return file ? file->read_at(offset, buffer, size) : 0;
    }
    bool read_now(std::uint64_t, char*, std::size_t) override { return false; }
    void write_at(std::uint64_t, std::span<const std::string_view>) override {}
    void sync_data() override {}
    void forget_cached() override {}
    std::uint64_t size() override { return file ? file->size() : 0; }
    int descriptor() const override { return -1; }
    std::unique_ptr<disk::File> file;
  };
  disk::Disk& disk_;
};

// What is known of a message.
struct Known {
  std::string body;  // empty when it cannot be read
  MessageState state = MessageState::waiting;
  bool in_doubt = false;
  unsigned attempts = 0;
  std::vector<RecipientState> states;
  bool operator==(const Known&) const = default;
};

struct Start {
  std::map<MessageId, Known> messages;
  std::vector<std::string> set_aside;
  bool names(MessageId id) const {
    return std::any_of(set_aside.begin(), set_aside.end(), [&](const std::string& line) {
      return line.find(to_string(id)) != std::string::npos;
    });
  }
};

class DamageTest : public test::QueueFixture {
 protected:
  void SetUp() override {
    options.directory = "queue";
    options.segment_size = 16_KiB;
    options.inline_limit = 16_KiB;
    options.reserve = 0_B;
    options.keep_failed = std::chrono::hours(24 * 365);
    reopen();
  }

  disk::Disk& fresh_disk() override { return memory; }

  void close() {
    queue.reset();
    loop.run();
  }

  // Ids that one octet cannot turn into each other.
  MessageId take(const std::string& body, const std::vector<std::string>& recipients = {"b@example.org"}) {
    loop.advance(std::chrono::microseconds(0x010305));
    const MessageId id = commit(body, recipients);
    taken_.insert(id);
    return id;
  }
  void end(MessageId id) { settle(id, {RecipientState::delivered}); }

  // One message of each kind, and three that are gone.
  void fill() {
    settle(take("half\r\n", {"a@example.org", "b@example.org"}),
           {RecipientState::delivered, RecipientState::pending});
    doubt(take("doubt\r\n"));
    queue->hold(message(take("held\r\n")));
    settle(take("failed\r\n"), {RecipientState::failed});
    end(take("gone\r\n"));
    const MessageId removed = take("removed\r\n");
    queue->remove(message(removed));
    take(std::string(20'000, 'x'));
    take("waiting\r\n");
    end(take("gone, too\r\n"));
    flush();
  }

  // Until there are summaries, checkpoints and segments that were moved, retired and used again.
  void wear() {
    const MessageId kept = take("kept\r\n", {"a@example.org", "b@example.org"});
    settle(kept, {RecipientState::delivered, RecipientState::pending});
    for (int i = 0; i < 12; ++i) {
      take("stays\r\n");
      end(take(std::string(6'500, 'x')));
      Outcome outcome;
      outcome.when = loop.wall_now();
      outcome.next_attempt = outcome.when + std::chrono::hours(1);
      outcome.recipients = {{1, RecipientState::pending, 450, std::string(500, 'x')}};
      for (int j = 0; j < 12; ++j) queue->settle(shipment(kept), outcome);
      flush();
    }
    fill();
    settle_down();
  }

  Start start() {
    FrozenDisk frozen(memory);
    Ground ground(frozen, 0_B, 16_KiB);
    Index index;
    SegmentTable messages, states;
    Replay replay({frozen, ground, index, messages, states}, options.keep_failed,
                  {loop.now(), loop.wall_now()});
    replay.run();
    Start found{{}, replay.set_aside};
    index.for_each([&](const Entry& entry) {
      Known& known = found.messages[entry.id()];
      known = {"", entry.state, entry.in_doubt(), entry.attempts(), entry.states.unpacked()};
      const auto bytes = read_record(messages, entry.where, entry.length);
      if (!bytes) return;
      const auto record = parse_record(*bytes, messages.find(entry.where.segment)->header.generation);
      EXPECT_EQ(record->id, entry.id());
      known.body = decode_message(*record)->body;
    });
    return found;
  }

  // What is sound, and what is there although something of it is damaged.
  void compare(const Start& sound, const Start& found, std::size_t most_lost) {
    std::size_t lost = 0;
    for (const auto& [id, known] : sound.messages) lost += !found.messages.contains(id);
    EXPECT_LE(lost, most_lost);
    if (lost > 0) EXPECT_THAT(found.set_aside, testing::Not(testing::IsEmpty()));
    for (const auto& [id, known] : found.messages) {
      const auto before = sound.messages.find(id);
      if (before != sound.messages.end() && before->second == known) continue;
      const bool readable = before == sound.messages.end() || known.body == before->second.body;
      EXPECT_TRUE(taken_.contains(id)) << "out of nothing";
      EXPECT_TRUE(!readable || known.state == MessageState::held || known.state == MessageState::failed)
          << "to be sent: " << to_string(id);
      EXPECT_TRUE(!readable || found.names(id)) << to_string(id);
    }
  }

  std::vector<std::string> files() const {
    std::vector<std::string> found;
    for (const auto& [path, size] : memory.sizes())
      if (path.starts_with("journal/") || path.starts_with("state/")) found.push_back(path);
    return found;
  }
  std::string contents(const std::string& path) {
    const auto file = memory.open(path);
    std::string bytes(file->size(), '\0');
    file->read_at(0, bytes.data(), bytes.size());
    return bytes;
  }

  void alter_every_octet(std::size_t step) {
    const Start sound = start();
    EXPECT_THAT(sound.set_aside, testing::IsEmpty());
    for (const std::string& path : files()) {
      const std::string bytes = contents(path);
      for (std::size_t at = 0; at < bytes.size(); ++at) {
        const bool matters = bytes[at] != '\0' || (at > 0 && bytes[at - 1] != '\0');
        if (at % (matters ? step : 64) != 0) continue;
        SCOPED_TRACE(fmt::format("{} {}", path, at));
        memory.damage(path, at);
        compare(sound, start(), 1);
        memory.damage(path, at);
        if (HasFailure()) return;
      }
    }
  }

  ForgettingDisk memory;
  std::set<MessageId> taken_;
};

}  // namespace relayd::queue
