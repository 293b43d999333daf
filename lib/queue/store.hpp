// Store: what the parts of the queue share: both logs with their writers, the ground they stand on, and the
// index over them.
//
// Owned by the queue's implementation; used on the loop's thread, but for what says otherwise.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "queue/alarm.hpp"
#include "queue/ground.hpp"
#include "queue/index.hpp"
#include "queue/journal.hpp"
#include "queue/keeper.hpp"
#include "queue/queue.hpp"
#include "queue/segment.hpp"

namespace relayd::queue {

struct Store {
  Store(async::Loop& event_loop, disk::Disk& queue_disk, const Options& queue_options, Alarm& queue_alarm)
      : loop(event_loop),
        disk(queue_disk),
        options(queue_options),
        alarm(queue_alarm),
        ground(queue_disk, queue_options.reserve, queue_options.segment_size),
        keeper(event_loop) {}

  Clock clock() const { return {loop.now(), loop.wall_now()}; }
  // Submits what happened to a message, or a summary of it.
  void record(Entry& entry, Submission fact) {
    fact.id = entry.id();
    if (!fact.is_summary) fact.previous = entry.last;
    entry.last = facts->submit(std::move(fact));
  }
  // A body in large/ that nobody needs any more goes, some time.
  void remove_large(MessageId id);

  async::Loop& loop;
  disk::Disk& disk;
  const Options& options;
  Alarm& alarm;

  Ground ground;
  Index index;
  SegmentTable messages;
  SegmentTable states;
  std::atomic<std::uint64_t> last_message_sequence = 0;
  std::atomic<std::uint64_t> last_state_sequence = 0;
  MessageId last_id;         // the newest that was given out
  Position intake_end;       // of what is durable, as the loop was told
  bool intake_open = false;  // that segment is still written to
  Position state_end;
  std::uint64_t state_rest = 0;  // octets that its segment has room for

  Keeper keeper;
  std::unique_ptr<Journal> journal;  // takes messages
  std::unique_ptr<Journal> facts;    // takes what happens to them
};

}  // namespace relayd::queue
