// Index: every living message in memory, small: its state, its time, and where its bytes are.
//
// Owned by the queue, on the loop's thread. It does no I/O and knows no timer: the queue asks what is due. A
// message costs about 200 bytes; addresses and reply texts stay on disk.
#pragma once

#include <algorithm>
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
  std::uint32_t unsent() const { return count(RecipientState::pending) + count(RecipientState::doubtful); }
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
  Position where;          // of the message's own record
  Position last;           // of the newest record about it in the state log, or the promise; segment 0: none
  std::uint64_t base = 0;  // the state segment of its newest summary; 0: none yet
  std::uint32_t length = 0;  // of its own record
  bool by_reference = false;
  bool hold_asked = false;  // held as soon as it is given back; while waiting: never set
  bool doomed = false;      // removed on disk, gone as soon as it is given back
  bool counted = false;     // the attempt that is under way was counted already, by its doubt
  RecipientStates states;
  std::size_t heap_slot = 0;  // 1 + index in the heap of times; 0: not in it
};

// A pair of readings, taken together.
struct Clock {
  SteadyTime now;
  WallTime wall;
};

// What a start would have to know of the entry, but for the replies there were.
Summary summary_of(const Entry& entry, Clock clock);

// The steady time of `moment`, noted at `when`: at most `moment - when` from now, however the wall clock was
// set.
SteadyTime due_time(WallTime when, WallTime moment, Clock clock);

// What the index knows of a message segment.
struct SegmentUse {
  std::uint64_t bytes = 0;      // written into it
  std::uint64_t living = 0;     // of these, records of living messages
  std::uint32_t count = 0;      // of living messages
  std::uint32_t leaving = 0;    // messages that have left it by a record which is not durable yet
  std::uint32_t based = 0;      // of living messages that have a summary,
  std::uint64_t based_ids = 0;  // and the exclusive or of their ids
};

// A walk over all entries in steps, while messages come and go between them. Whoever is there from its
// beginning to its end is met, perhaps more than once.
struct Walk {
  std::size_t buckets = 0;  // of the index; it begins anew when they have changed
  std::size_t next = 0;
};

class Index {
 public:
  // A message that waits and is due at once, or is held; replaces an entry of the same id. Its record is at
  // `where`.
  Entry& add(MessageId id, const MessageFacts& facts, const Envelope& envelope, Position where,
             std::uint32_t length, Clock clock);
  // The same of a message that a summary tells of, which stands at `place`.
  Entry& add(MessageId id, const Summary& summary, Position place, Clock clock);
  // A summary of the entry has become durable in this state segment.
  void set_base(Entry& entry, std::uint64_t segment);
  Entry* find(MessageId id);
  void erase(Entry& entry);
  // Its record was written again, elsewhere.
  void move(Entry& entry, Position where, std::uint32_t length);

  // The message is gone on disk, though whoever has it may still look at it.
  void doom(Entry& entry);

  // What an attempt did, in the entry: recipients, attempts (unless it was counted), doubt. False: every
  // recipient is delivered, the entry is to be erased. Otherwise it is waiting, held, or failed and due for
  // removal after `keep_failed`.
  bool apply(Entry& entry, const Outcome& outcome, bool counted, Duration keep_failed, Clock clock);
  // An attempt that may end without a word has begun: it counts, and these recipients are doubtful from here.
  void apply(Entry& entry, const Doubt& doubt);
  // Nobody has taken it: doubtful recipients are pending again, and it is due at once.
  void not_taken(Entry& entry, Clock clock);
  // The message waits and is due at once; the failed recipients of a failed one are pending again.
  void retry(Entry& entry, Clock clock);

  void set_waiting(Entry& entry, SteadyTime due);
  void set_failed(Entry& entry, SteadyTime until);
  // Ready or held: no time matters.
  void set_timeless(Entry& entry, MessageState state);

  // The waiting or failed entry with the earliest time; null when there is none.
  Entry* next() const { return heap_.empty() ? nullptr : heap_.front(); }

  std::vector<Entry*> by_id();
  // A step of a walk, of about a millisecond; `visit` may not add or erase. False: it is over.
  template <class Visit>
  bool go_on(Walk& walk, Visit visit);
  template <class Visit>
  void for_each(Visit visit) {
    for (auto& [id, entry] : entries_) visit(entry);
  }
  std::size_t size() const { return entries_.size(); }
  // Takes room for so many at once.
  void reserve(std::size_t messages) { entries_.reserve(messages); }
  // Lets go of the room that messages needed which have gone. Entries stay where they are.
  void shrink();
  const Totals& totals() const { return totals_; }

  // --- segments ---
  // `bytes` more were written into a segment.
  void written(std::uint64_t segment, std::uint64_t bytes);
  // leaving(): a message has left the segment by a record that is not durable yet. left(): that record is
  // durable.
  void leaving(std::uint64_t segment) { ++segments_[segment].leaving; }
  void left(std::uint64_t segment);
  // A segment that is retired.
  void forget(std::uint64_t segment);
  const std::map<std::uint64_t, SegmentUse>& segments() const { return segments_; }
  std::uint64_t living_bytes() const { return living_; }
  std::size_t based() const { return based_; }              // messages that have a summary
  std::uint64_t based_need() const { return based_need_; }  // their part of state_need()
  std::size_t doomed() const { return doomed_; }            // and those that will never need one

  // Octets that the state log needs, at least, for what may happen to the living messages: their summaries,
  // twice, and a doubt and an outcome without its texts for each.
  std::uint64_t state_need() const { return state_need_; }
  static std::uint64_t state_need(std::size_t sender, std::size_t recipients);

 private:
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::string_view intern(std::string_view text);
  void forget(std::string_view text);
  void count(MessageState state, std::ptrdiff_t change);
  void link(Entry& entry);
  void unlink(Entry& entry);
  void count_base(Entry& entry, bool there);
  void set_doubt(Entry& entry, std::string_view upstream, std::uint8_t doubts);
  void recount(Entry& entry);
  void set_state(Entry& entry, MessageState state);
  void set_time(Entry& entry, SteadyTime due);
  void clear_time(Entry& entry);
  void sift(std::size_t slot);
  void place(std::size_t index, Entry* entry);

  struct EarlierDoubt {
    std::string upstream;
    std::uint8_t doubts = 0;
  };

  std::unordered_map<std::uint64_t, Entry> entries_;
  std::unordered_map<std::uint64_t, EarlierDoubt> earlier_doubts_;  // while an attempt elsewhere is open
  std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>>
      texts_;                 // senders and upstreams, with use counts
  std::vector<Entry*> heap_;  // binary, earliest first, equal times by id
  std::map<std::uint64_t, SegmentUse> segments_;
  std::uint64_t living_ = 0;
  std::uint64_t state_need_ = 0;
  std::size_t based_ = 0;
  std::uint64_t based_need_ = 0;
  std::size_t doomed_ = 0;
  Totals totals_;
};

template <class Visit>
bool Index::go_on(Walk& walk, Visit visit) {
  constexpr std::size_t step = 4096;
  const std::size_t buckets = entries_.bucket_count();
  if (walk.buckets != buckets) walk = {buckets, 0};
  const std::size_t end = std::min(buckets, walk.next + step);
  for (; walk.next < end; ++walk.next)
    for (auto place = entries_.begin(walk.next); place != entries_.end(walk.next); ++place)
      visit(place->second);
  return walk.next < buckets;
}

}  // namespace relayd::queue
