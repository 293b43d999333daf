// Journal: the writer thread. It makes what the loop hands it durable, many records with one sync, and says
// so with one post.
//
// Owned by the queue. The loop submits and is told; nobody waits on a lock while something is written. It
// knows records as bytes, and of messages only what a rewrite needs.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "queue/history.hpp"
#include "queue/queue.hpp"
#include "queue/record.hpp"
#include "queue/segment.hpp"
#include "shared/async/event.hpp"
#include "shared/async/loop.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

// Something to be made durable. Submissions take effect in the order they were made.
struct Submission {
  enum class Kind {
    message,  // given up when it cannot be written: its client is told
    rewrite,  // given up as well: the original is still there
    fact,     // happened; written again until it is durable
  };
  Kind kind = Kind::fact;
  MessageId id;
  std::string bytes;                        // the record; empty: only the rest counts
  std::unique_ptr<RewriteOrder> order;      // of a rewrite; makes the bytes
  std::string unlink;                       // path of a file to remove once this is durable
  std::uint64_t retire_below = 0;           // segments older than this one are dead
  async::Slot<Position>* waiter = nullptr;  // told on the loop
  Position where;                           // result
  std::optional<QueueError> failure;        // result; kind broken: the source of a rewrite is damaged
};

struct Report {
  std::vector<Submission> done;       // in order
  std::vector<std::string> troubles;  // a line each, for the log
};

// Where the journal goes on.
struct JournalStart {
  std::uint64_t last_sequence = 0;  // highest number in use; 0: none
  Position end;                     // of the last durable record
  std::vector<std::string> free;    // names of free segment files
};

class Journal {
 public:
  using OnReport = std::function<void(Report&)>;

  // Opens a fresh segment (throws DiskError) and starts the thread. Segments that still hold records are in
  // the table already. `on_report` is called on the loop, never after the Journal has gone.
  Journal(async::Loop& loop, disk::Disk& disk, const Options& options, SegmentTable& segments,
          JournalStart start, OnReport on_report);
  // Writes what was submitted, once more if that fails, and joins.
  ~Journal();

  // What is submitted in one turn of the loop is synced together. A fact for which nobody waits may lie some
  // 2 ms, for company.
  void submit(Submission submission);
  // Submissions that were not reported yet.
  std::size_t in_line() const { return in_line_; }
  // Why a message would be refused now; nothing while the disk works.
  std::optional<QueueError> refusal() const;

 private:
  using Batch = std::vector<Submission>;

  void hand_over(bool turn_is_over);
  void serve();
  bool wait_for_work(std::unique_lock<std::mutex>& lock);
  bool has_urgent() const;
  void write_batch();
  std::span<Submission> take_more();
  void prepare(std::span<Submission> part);
  void prepare_rewrite(Submission& submission);
  bool space_is_low();
  void write(std::span<Submission> part);
  void sync();
  void fill_ahead();
  void enter_segment();
  void leave_segment();
  void abandon_segment();
  void finish_batch();
  void retire_segments(std::uint64_t below);
  void fail_batch(const QueueError& error);
  void back_off(bool reopened);
  void report();

  async::Loop& loop_;
  disk::Disk& disk_;
  const std::uint64_t segment_size_;
  const Bytes reserve_;
  SegmentTable& segments_;
  const OnReport on_report_;
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // until we go, on the loop

  // The loop's own.
  std::vector<Submission> gathered_;  // in this turn, and not handed over yet
  std::size_t gathered_bytes_ = 0;
  std::size_t in_line_ = 0;
  bool in_turn_ = false;

  // The writer's own.
  SegmentStore store_;
  std::shared_ptr<const Segment> current_;  // null: a fresh one must be opened before anything is written
  Position end_;                            // of what is durable, in the current segment or the one before
  std::uint64_t written_ = 0;               // end of what the batch wrote so far; end_ between batches
  std::uint64_t allocated_ = 0;             // size of the current file
  unsigned grow_themselves_ = 0;            // batches to come for which no zeroes go ahead
  unsigned failures_ = 0;                   // batches in a row
  bool space_low_ = false;
  std::chrono::steady_clock::time_point next_space_check_{};
  Batch batch_;
  std::vector<std::string> troubles_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Submission> ready_;
  bool more_to_come_ = false;                                      // in this turn of the loop
  std::optional<std::chrono::steady_clock::time_point> retry_at_;  // the disk failed; until then nobody tries
  std::string refusal_;
  QueueError::Kind refusal_kind_ = QueueError::Kind::failed;
  bool stopping_ = false;

  std::thread thread_;
};

// The QueueError that a failed disk operation is for a client.
QueueError to_queue_error(const std::exception& error);

}  // namespace relayd::queue
