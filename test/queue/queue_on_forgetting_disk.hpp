// QueueOnForgettingDisk: a queue on a disk in memory that fails, fills up and forgets on demand.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "queue/index.hpp"
#include "queue/queue_fixture.hpp"
#include "queue/segment.hpp"
#include "support/forgetting_disk.hpp"

namespace relayd::queue {

using test::ForgettingDisk;

class QueueOnForgettingDisk : public test::QueueFixture {
 protected:
  disk::Disk& fresh_disk() override { return memory; }

  // A call of the disk that is counted from here is not one of the queue's upkeep.
  void arm(std::size_t call, ForgettingDisk::Fault fault, int error) {
    rest();
    memory.arm(call, fault, error);
  }

  // A new queue on an empty disk.
  void renew() {
    queue.reset();
    loop.run();
    memory.~ForgettingDisk();
    new (&memory) ForgettingDisk();
    reopen();
  }

  // The kind of the refusal of a commit; nothing when it was taken.
  std::optional<QueueError::Kind> refusal(const std::string& body = "x\r\n") {
    try {
      commit(body);
      return std::nullopt;
    } catch (const QueueError& error) {
      return error.kind();
    }
  }

  // The file that a message stands in.
  std::string file_of(MessageId id) {
    const std::uint64_t wanted = static_cast<Entry&>(message(id)).where.segment;
    for (const std::string& path : segments())
      if (header_of(path) && header_of(path)->sequence == wanted) return path;
    throw std::runtime_error("no file has that message");
  }
  std::optional<SegmentHeader> header_of(const std::string& path) {
    const auto file = memory.open(path);
    std::string front(segment_start, '\0');
    file->read_at(0, front.data(), front.size());
    return decode_header(front).header;
  }
  std::vector<std::string> segments() const {
    std::vector<std::string> found;
    for (const auto& [path, size] : memory.sizes())
      if (path.ends_with(".journal")) found.push_back(path);
    return found;
  }

  std::vector<std::string> quarantined() const {
    std::vector<std::string> found;
    for (const auto& [path, size] : memory.sizes())
      if (path.starts_with("quarantine/")) found.push_back(path);
    return found;
  }

  ForgettingDisk memory;
};

}  // namespace relayd::queue
