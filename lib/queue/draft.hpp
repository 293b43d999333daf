// Draft::State: a message while it is received, in memory or, once it is large, in a file of its own.
//
// Owned by its Draft. The record is built in place: what append() copies is what the writer writes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "queue/alarm.hpp"
#include "queue/checksum.hpp"
#include "queue/journal.hpp"
#include "queue/queue.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

struct Draft::State {
  State(disk::Disk& queue_disk, Journal& queue_journal, async::Workers& helpers, Alarm& queue_alarm,
        const Options& queue_options, std::string buffer, MessageId new_id);
  ~State();  // an unfinished body in a file is removed by the writer

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

  disk::Disk& disk;
  Journal& journal;
  async::Workers& workers;
  Alarm& alarm;
  const Options& options;
  MessageId id;
  std::uint64_t size = 0;
  std::string record;
  std::unique_ptr<disk::File> file;              // null while the message is small
  std::optional<RunningChecksum> file_checksum;  // while there is a file
};

}  // namespace relayd::queue
