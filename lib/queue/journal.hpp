// Journal: the writer thread of one of the two logs. It makes what the loop hands it durable, many records
// with one sync, and says so with one post.
//
// Owned by the queue, which has one for messages and one for facts. The loop submits and is told; nobody
// waits on a lock while something is written. It knows records as bytes. It never reads, never removes
// anything and syncs no directory, unless its ground has no file left for it.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "queue/ground.hpp"
#include "queue/queue.hpp"
#include "queue/record.hpp"
#include "queue/segment.hpp"
#include "queue/sync_times.hpp"
#include "shared/async/event.hpp"
#include "shared/async/loop.hpp"

namespace relayd::queue {

// A record to be made durable. Submissions become durable in the order they were made.
struct Submission {
  MessageId id;
  std::string bytes;
  Position previous;  // what the bytes say of the record before it; a promise becomes the place
  async::Slot<Position>* waiter = nullptr;  // told on the loop
  std::uint64_t releases = 0;  // a message segment that holds one record less once this is durable
  bool unlinks = false;        // the message's body in large/ is of no use then
  bool is_summary = false;
  bool is_upkeep = false;             // nothing happened: the queue wrote it for itself
  std::uint64_t octets = 0;           // that were submitted; this and the next two are set by the journal
  std::uint64_t number = 0;           // counted from 1
  std::uint64_t reported = 0;         // the newest whose place the loop knew by then
  Position where;                     // result
  std::optional<QueueError> failure;  // result
};

// Stands for the place of a submission until that is reported.
constexpr Position promise(std::uint64_t number) {
  return {Position::promised | number, 0};
}

struct Report {
  std::vector<Submission> done;       // in order
  std::vector<std::string> troubles;  // a line each, for the log
  Position end;                       // of what is durable
  bool open = false;                  // its segment is gone on with
  std::uint64_t rest = 0;             // octets that it still has room for then
  std::optional<std::chrono::steady_clock::duration> sync_took = {};  // nothing: there was none
};

// Where a log goes on.
struct JournalStart {
  std::shared_ptr<const Segment>
      current;        // to be gone on with; null: a fresh one is opened when it is needed
  Position end;       // of the last durable record
  bool torn = false;  // there are holes before that which never were durable
  // What stands before that cannot be read: the header of a fresh segment has to say that it ended there.
  bool hidden = false;
};

class Journal {
 public:
  using OnReport = std::function<void(Report&)>;
  enum class Log {
    messages,  // a record that cannot be written is given up: its client is told
    facts,     // they happened: they are written again until they are durable
  };

  // Starts the thread. `last_sequence` is that of the newest segment of this log; other writers may take
  // numbers, too. `on_report` is called on the loop, never after the Journal has gone.
  Journal(Log log, async::Loop& loop, Ground& ground, SegmentTable& segments,
          std::atomic<std::uint64_t>& last_sequence, JournalStart start, OnReport on_report);
  // Writes what was submitted, once more if that fails, and joins.
  ~Journal();

  // What is submitted in one turn of the loop is synced together. A fact for which nobody waits may lie some
  // 2 ms, for company. Returns the promise of its place.
  Position submit(Submission submission);
  // Submissions that were not reported yet.
  std::size_t in_line() const { return submitted_ - reported_; }
  std::uint64_t octets_in_line() const { return octets_in_line_; }
  // Returns when all that was submitted until now was reported.
  async::Task<void> flush();
  // Why a message would be refused now; nothing while the disk works.
  std::optional<QueueError> refusal() const;

  // Of what was reported.
  const SyncTimes& sync_times() const { return sync_times_; }

  // Writes all that was submitted, then each of these records with a sync of its own; nothing may be
  // submitted afterwards, and nothing is reported. Joins the thread.
  void close(std::vector<std::string> last);
  // Where the log ends. Once it is closed.
  Position end() const { return end_; }
  // True: nothing void can stand behind the end, so the next start may go on there.
  bool goes_on() const { return current_ || end_.segment == 0; }

 private:
  using Batch = std::vector<Submission>;

  void hand_over(bool turn_is_over);
  void serve();
  bool wait_for_work(std::unique_lock<std::mutex>& lock);
  bool has_urgent() const;
  void write_batch();
  std::span<Submission> take_more();
  void refuse_below_the_reserve(std::span<Submission> part);
  bool space_is_low();
  void write(std::span<Submission> part);
  void place(Submission& submission);
  void sync();
  void enter_segment(std::uint64_t least);
  void leave_segment();
  void abandon_segment();
  void fail_batch(const QueueError& error);
  void back_off(bool reopened);
  void report();
  Ground::Log ground_log() const {
    return log_ == Log::messages ? Ground::Log::messages : Ground::Log::state;
  }

  const Log log_;
  async::Loop& loop_;
  Ground& ground_;
  SegmentTable& segments_;
  std::atomic<std::uint64_t>& last_sequence_;
  const OnReport on_report_;
  const std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // until we go, on the loop

  // The loop's own.
  std::vector<Submission> gathered_;  // in this turn, and not handed over yet
  std::size_t gathered_bytes_ = 0;
  std::size_t submitted_ = 0;
  std::size_t reported_ = 0;
  std::uint64_t octets_in_line_ = 0;
  std::multimap<std::size_t, async::Event*> flushes_;  // by the number that has to be reported
  bool in_turn_ = false;
  SyncTimes sync_times_;

  // The writer's own.
  std::shared_ptr<const Segment> current_;  // null: a fresh one must be opened before anything is written
  bool torn_ = false;                       // so is the segment of `end_`, and it is not gone on with
  Position end_;                            // of what is durable, in the current segment or the one before
  std::uint64_t written_ = 0;               // end of what the batch wrote so far; end_ between batches
  unsigned failures_ = 0;                   // batches in a row
  bool space_low_ = false;
  std::chrono::steady_clock::time_point next_space_check_{};
  Batch batch_;
  std::deque<Position> placed_;                      // of the submissions that somebody may have promises of,
  std::uint64_t placed_first_ = 1;                   // from this number on
  std::chrono::steady_clock::duration sync_took_{};  // the last one
  bool synced_ = false;                              // and it was not reported yet
  std::vector<std::string> troubles_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Submission> ready_;
  bool more_to_come_ = false;                                      // in this turn of the loop
  bool somebody_waits_ = false;                                    // for all that is ready
  std::optional<std::chrono::steady_clock::time_point> retry_at_;  // the disk failed; until then nobody tries
  std::string refusal_;
  QueueError::Kind refusal_kind_ = QueueError::Kind::failed;
  bool stopping_ = false;

  std::thread thread_;
};

// The QueueError that a failed disk operation is for a client.
QueueError to_queue_error(const std::exception& error);

}  // namespace relayd::queue
