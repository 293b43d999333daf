// FormatRow: a queue on a disk that loses its power at any call, for the rows of FORMAT.md's table of
// crashes.
#pragma once

#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "queue/queue_fixture.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd::queue {

using test::ForgettingDisk;

class FormatRow : public test::QueueFixture {
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
    EXPECT_THAT(recovery.set_aside, testing::IsEmpty());
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

  // The power fails in call `call` of a commit that needs a fresh segment; only the one before it was taken.
  void cut_commit(std::size_t call, unsigned seed) {
    SCOPED_TRACE(fmt::format("call {}, seed {}", call, seed));
    renew();
    const MessageId first = commit(std::string(5'000, 'a'));
    arm(call);
    EXPECT_FALSE(taken(5'000));
    restart(seed);
    EXPECT_EQ(read(first).body, std::string(5'000, 'a'));
    EXPECT_LE(recovery.messages, 2U);
    EXPECT_TRUE(taken(100));
  }

  // Of the calls from here, none is one of the queue's upkeep.
  void arm(std::size_t call, ForgettingDisk::Fault fault = ForgettingDisk::Fault::power_fails) {
    settle_down();
    memory->arm(call, fault, EIO);
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

}  // namespace relayd::queue
