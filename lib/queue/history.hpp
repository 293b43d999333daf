// History: reads single records back from the journal, and walks from the newest one about a message to older
// ones.
//
// Called by whoever may block: the writer thread and the workers. Owns nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/record.hpp"
#include "queue/segment.hpp"

namespace relayd::queue {

// The segments in use. Shared by the writer, which adds and retires, and by readers: the one thing in the
// queue that is locked, never while something is read or written.
class SegmentTable {
 public:
  void add(std::shared_ptr<const Segment> segment);
  void remove(std::uint64_t sequence);
  std::shared_ptr<const Segment> find(std::uint64_t sequence) const;
  std::vector<std::uint64_t> below(std::uint64_t sequence) const;  // ascending

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<const Segment>> segments_;
};

// The bytes of the sound record at `where`; nothing when there is none. `length`: what is expected to be
// enough. Throws DiskError.
std::optional<std::string> read_record(const SegmentTable& segments, Position where, std::uint32_t length);

// A living message that is to be written again at the head of the journal, as the index knows it.
struct RewriteOrder {
  Position source;
  std::uint32_t length = 0;
  Position last;  // where its history begins
  std::uint16_t attempts = 0;
  std::string doubted;  // the upstream that may have it; empty: not in doubt
  bool held = false;
  std::vector<RecipientState> states;
  WallTime now;
  WallTime next_attempt;
};

// The record that replaces the source: same body and envelope, the states of the order, and for each
// recipient the newest reply that the history still has. Nothing when the source is damaged. Throws
// DiskError.
std::optional<std::string> rewrite(const SegmentTable& segments, const RewriteOrder& order);

// What happened to the message whose own record is at `source` and whose newest other record is at `last`,
// oldest first; as far as it is still there and sound. Throws DiskError.
std::vector<HistoryEvent> read_history(const SegmentTable& segments, Position source, std::uint32_t length,
                                       Position last);

// Keeps bytes for a person to look at, durably, as quarantine/NAME. Throws DiskError.
void set_aside(disk::Disk& disk, const std::string& name, std::string_view bytes);

}  // namespace relayd::queue
