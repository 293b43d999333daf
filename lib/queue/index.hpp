// Index: every living message in memory, small: its state, its time, and where its bytes are.
//
// Owned by the queue, on the loop's thread. It does no I/O and knows no timer: the queue asks what is due. A
// message costs about 200 bytes; addresses and reply texts stay on disk.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "queue/message.hpp"
#include "queue/queue.hpp"
#include "queue/record.hpp"

namespace relayd::queue {

// Two bits for each recipient; up to 32 of them need no allocation.
class RecipientStates {
 public:
  explicit RecipientStates(std::uint32_t count = 0);
  std::uint32_t size() const { return count_; }
  RecipientState get(std::uint32_t recipient) const;
  void set(std::uint32_t recipient, RecipientState state);
  std::uint32_t count(RecipientState state) const;
  std::vector<RecipientState> unpacked() const;

 private:
  static constexpr std::uint32_t per_word = 32;
  const std::uint64_t* words() const { return many_ ? many_.get() : &few_; }
  std::uint64_t* words() { return many_ ? many_.get() : &few_; }

  std::uint32_t count_;
  std::uint64_t few_ = 0;
  std::unique_ptr<std::uint64_t[]> many_;
};

struct Entry : Message {
  Position where;            // of the message's own record
  Position last;             // of the newest record about it that is durable; segment 0: none
  std::uint32_t length = 0;  // of its own record
  bool by_reference = false;
  bool hold_asked = false;  // held as soon as it is given back; while waiting: never set
  bool doomed = false;      // removed on disk, gone as soon as it is given back
  RecipientStates states;
  std::size_t heap_slot = 0;      // 1 + index in the heap of times; 0: not in it
  Entry* segment_next = nullptr;  // messages whose record is in the same segment
  Entry* segment_previous = nullptr;
};

// A pair of readings, taken together.
struct Clock {
  SteadyTime now;
  WallTime wall;
};

// When a moment noted at `when` comes for us: never later than it then was away, however the clock was set.
SteadyTime due_time(WallTime when, WallTime moment, Clock clock);

// The messages of one segment.
struct SegmentUse {
  std::uint64_t bytes = 0;   // written into it
  std::uint64_t living = 0;  // of these, records of living messages
  Entry* first = nullptr;    // its living messages
};

// A search for the oldest message still to be sent, in steps: no order of age is kept for it.
struct OldestSearch {
  std::size_t buckets = 0;  // of the index; it begins anew when they have changed
  std::size_t next = 0;
  std::optional<MessageId> found;
};

class Index {
 public:
  // A message that waits and is due at once; replaces an entry of the same id. The record is at `where`.
  Entry& add(MessageId id, const StoredMessage& message, Position where, std::uint32_t length, Clock clock);
  Entry* find(MessageId id);
  void erase(Entry& entry);
  // Its record was written again, elsewhere.
  void move(Entry& entry, Position where, std::uint32_t length);

  // What an attempt did, in the entry: recipients, attempts, doubt. False: every recipient is delivered, the
  // entry is to be erased. Otherwise it is waiting, held, or failed and due for removal after `keep_failed`.
  bool apply(Entry& entry, const Outcome& outcome, Duration keep_failed, Clock clock);
  // The message waits and is due at once; the failed recipients of a failed one are pending again.
  void retry(Entry& entry, Clock clock);

  // `upstream` may have taken the message; empty: nobody has.
  void set_doubt(Entry& entry, std::string_view upstream);
  void set_waiting(Entry& entry, SteadyTime due);
  void set_failed(Entry& entry, SteadyTime until);
  // Ready or held: no time matters.
  void set_timeless(Entry& entry, MessageState state);

  // The waiting or failed entry with the earliest time; null when there is none.
  Entry* next() const { return heap_.empty() ? nullptr : heap_.front(); }

  std::vector<Entry*> by_id();
  // A step of about a millisecond. False: it is over.
  bool go_on(OldestSearch& search) const;
  template <class Visit>
  void for_each(Visit visit) {
    for (auto& [id, entry] : entries_) visit(entry);
  }
  std::size_t size() const { return entries_.size(); }
  // Lets go of the room that messages needed which have gone. Entries stay where they are.
  void shrink();
  const Totals& totals() const { return totals_; }

  // --- segments ---
  // `bytes` more were written into a segment.
  void written(std::uint64_t segment, std::uint64_t bytes);
  // Forgets the oldest segments that hold nothing living, but never the newest; returns the oldest kept.
  std::uint64_t drop_dead_segments();
  const std::map<std::uint64_t, SegmentUse>& segments() const { return segments_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t living_bytes() const { return living_; }

 private:
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::string_view intern(std::string_view text);
  void forget(std::string_view text);
  void count(MessageState state, std::ptrdiff_t change);
  void link(Entry& entry);
  void unlink(Entry& entry);
  void set_state(Entry& entry, MessageState state);
  void set_time(Entry& entry, SteadyTime due);
  void clear_time(Entry& entry);
  void sift(std::size_t slot);
  void place(std::size_t index, Entry* entry);

  std::unordered_map<std::uint64_t, Entry> entries_;
  std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>>
      texts_;                 // senders and upstreams, with use counts
  std::vector<Entry*> heap_;  // binary, earliest first, equal times by id
  std::map<std::uint64_t, SegmentUse> segments_;
  std::uint64_t bytes_ = 0;
  std::uint64_t living_ = 0;
  Totals totals_;
};

}  // namespace relayd::queue
