// Replay: start-up reads the journal from its oldest segment to its newest and builds the index.
//
// Blocks; called once, before the loop runs. What is not sound goes to quarantine/ when it had been durable,
// and is dropped when it had not: FORMAT.md says how the two are told apart.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "queue/history.hpp"
#include "queue/index.hpp"
#include "queue/journal.hpp"
#include "queue/queue.hpp"
#include "queue/segment.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

class Replay {
 public:
  Replay(disk::Disk& disk, Index& index, SegmentTable& segments, Duration keep_failed, Clock clock);

  // Fills index and table; returns where the journal goes on. Throws QueueError{broken} for a journal of a
  // newer version, and DiskError.
  JournalStart run();

  std::vector<std::string> set_aside() && { return std::move(set_aside_); }
  Bytes read() const { return {read_}; }
  std::size_t segments() const { return found_.size(); }
  MessageId last_id() const { return last_id_; }
  std::size_t in_doubt() const { return in_doubt_; }

 private:
  struct Found {
    std::shared_ptr<const Segment> segment;
    std::uint64_t end = 0;  // of what is durable in it; 0: not known
    bool newest = false;    // it was being written when the last process ended
    bool is_void = false;   // never came into use
  };

  void find_segments();
  void find_segment(const std::string& name, std::uint64_t sequence);
  void bound_segments();
  std::uint32_t replay_segment(const Found& found);
  std::size_t next_sound(std::string_view bytes, std::size_t from, std::uint64_t generation) const;
  bool was_durable(std::string_view bytes, std::size_t hole, std::size_t from, const Found& found) const;
  void quarantine(std::string_view bytes, std::size_t from, std::size_t to, const Found& found);
  bool apply(const Record& record, Position where);
  void apply_outcome(const Record& record, const StoredOutcome& stored, Position where);
  void apply_event(const Record& record, const StoredEvent& event, Position where);
  void settle_large();

  disk::Disk& disk_;
  Index& index_;
  SegmentTable& segments_;
  const Duration keep_failed_;
  const Clock clock_;

  std::vector<Found> found_;  // ascending
  std::string buffer_;        // of a segment, used again for each: fresh memory costs time
  std::uint64_t last_sequence_ = 0;
  std::vector<std::string> free_;
  std::vector<std::string> set_aside_;
  std::uint64_t read_ = 0;
  MessageId last_id_;
  std::size_t in_doubt_ = 0;
};

}  // namespace relayd::queue
