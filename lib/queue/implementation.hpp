// Queue::Implementation: the parts of the queue and what they do for each other.
//
// Private to the queue. On the loop's thread; the journal's thread reports to it through the loop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "queue/alarm.hpp"
#include "queue/buffers.hpp"
#include "queue/history.hpp"
#include "queue/index.hpp"
#include "queue/journal.hpp"
#include "queue/queue.hpp"

namespace relayd::queue {

class Queue::Implementation {
 public:
  Implementation(async::Loop& event_loop, async::Workers& helpers, disk::Disk& queue_disk, Options wanted);

  Recovery open();

  Clock clock() const { return {loop.now(), loop.wall_now()}; }
  MessageId next_id();

  // Sees to it that the earliest message is handed out in its time. After every change of times.
  void arm();
  // Lets go of what is dead on disk. After every removal.
  void tidy();

  void submit_event(RecordType type, const Entry& entry);
  // Takes a message out of the index, and its body off the disk once `fact` is durable.
  void erase(Entry& entry, Submission fact);
  void remove(Entry& entry);
  void hold(Entry& entry);

  // Throws QueueError and DiskError; nothing of the message is kept then.
  async::Task<MessageId> commit(Draft::State& state, Envelope envelope, bool held);
  // The same, for what cannot be read.
  async::Task<Content> read(MessageId id);
  async::Task<std::string> fetch(std::shared_ptr<const Segment> segment, Position where,
                                 std::uint32_t length);
  async::Task<Content> open_large(MessageId id, std::uint64_t size, std::uint64_t expected);
  // Holds a message that is damaged, keeps what was read of it, and throws.
  async::Task<void> give_up(MessageId id, std::string bytes, std::string reason);

  async::Loop& loop;
  async::Workers& workers;
  disk::Disk& disk;
  const Options options;
  std::function<void(Message&)> on_due;
  std::function<void(const std::string&)> on_trouble;
  Alarm alarm{loop, on_trouble};
  std::size_t found_in_doubt = 0;  // by open()

  Buffers buffers;
  Index index;
  SegmentTable segments;
  std::unique_ptr<Journal> journal;  // ends before the parts above

 private:
  void hand_out();
  void take(Report& report);
  void shrink();
  void written(Position where, std::size_t bytes);
  void rewritten(Submission& submission);
  void compact();

  async::Timer timer_;
  SteadyTime armed_for_;
  MessageId last_id_;
  std::size_t most_messages_ = 0;    // since shrink() last did something
  std::size_t rewriting_ = 0;        // on their way to the head of the journal
  SteadyTime compact_after_{};       // a rewrite failed; until then there is no other
  std::uint64_t retired_below_ = 0;  // as told to the journal
};

}  // namespace relayd::queue
