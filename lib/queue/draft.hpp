// Draft::State: a message while it is received, in memory or, once it is large, in a file of its own.
//
// Owned by its Draft. The record is built in place: what append() copies is what the writer writes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "queue/checksum.hpp"
#include "queue/queue.hpp"
#include "queue/store.hpp"
#include "shared/async/workers.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

struct Draft::State {
  State(Store& queue_store, async::Workers& helpers, std::string buffer, MessageId new_id);
  ~State();  // an unfinished body in a file is removed

  // Both block: for a worker. Throw DiskError, or QueueError{full} below the reserve.
  void spill();         // moves what is in memory to the file
  void finish_large();  // spills the rest; the file and its name are durable when it returns

  MessageFacts facts(WallTime accepted) const;
  // Completes the record and hands it out.
  std::string finish(const MessageFacts& facts, const Envelope& envelope);
  // The message is durable: its file, if any, is no longer ours.
  void keep_file() { file.reset(); }

  std::string large_path() const;
  std::uint64_t buffered() const { return record.size() - message_head; }

  Store& store;
  async::Workers& workers;
  MessageId id;
  std::uint64_t size = 0;
  std::string record;
  std::unique_ptr<disk::File> file;              // null while the message is small
  std::optional<RunningChecksum> file_checksum;  // while there is a file
};

}  // namespace relayd::queue
