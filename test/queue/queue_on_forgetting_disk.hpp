// QueueOnForgettingDisk: a queue on a disk in memory that fails, fills up and forgets on demand.
#pragma once

#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
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
    settle_down();
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

  // The newest segment of a folder.
  std::string newest(const std::string& folder) {
    std::string found;
    std::uint64_t most = 0;
    for (const auto& [path, size] : memory.sizes()) {
      if (!path.starts_with(folder + "/")) continue;
      const auto header = header_of(path);
      if (!header || header->sequence < most) continue;
      most = header->sequence;
      found = path;
    }
    return found;
  }

  // Adds a sound record behind all that is there.
  void append(const std::string& path, std::string record) {
    const auto file = memory.open(path);
    std::string all(file->size(), '\0');
    file->read_at(0, all.data(), all.size());
    const std::string_view view = all;
    const std::uint64_t generation = header_of(path)->generation;
    std::size_t end = segment_start;
    for (std::size_t at = next_sound(view, end, generation); at < view.size();
         at = next_sound(view, end, generation))
      end = at + record_length(view.substr(at));
    seal(record, generation, static_cast<std::uint32_t>(end));
    file->write_at(end, record);
    file->sync_data();
  }

  // Every sound record in the files of the state log, with its place.
  template <class Visit>
  void for_each_state_record(Visit visit) {
    for (const auto& [path, size] : memory.sizes()) {
      if (!path.starts_with("state/") || !header_of(path)) continue;
      std::string bytes(size, '\0');
      memory.open(path)->read_at(0, bytes.data(), size);
      const std::string_view all = bytes;
      const std::uint64_t generation = header_of(path)->generation;
      for (std::size_t at = next_sound(all, segment_start, generation); at < size;) {
        const auto record = parse_record(all.substr(at), generation);
        visit(*record, path, at);
        at = next_sound(all, at + record->length, generation);
      }
    }
  }

  // The power fails. `seed` as ForgettingDisk::restart() takes it: 0 keeps what was synced.
  void crash(unsigned seed = 0) {
    memory.arm(1, ForgettingDisk::Fault::power_fails);
    queue.reset();
    memory.restart(seed);
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
