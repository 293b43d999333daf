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
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "queue/message.hpp"
#include "queue/queue.hpp"
#include "queue/recipient_states.hpp"
#include "queue/record.hpp"

namespace relayd::queue {

struct Entry : Message {
  bool by_reference = false;
  bool doomed = false;       // removed on disk, gone as soon as all shipments are given back
  std::uint32_t length = 0;  // of the message's own record
  Position where;            // of that
  Position last;           // of the newest record about it in the state log, or the promise; segment 0: none
  std::uint64_t base = 0;  // the state segment of its newest summary; 0: none yet
  RecipientStates states;

  Shipment& shipment_of(std::uint32_t recipient);
  // Those of the shipment who are still to be sent.
  std::vector<std::uint32_t> recipients_of(const Shipment& shipment) const;
};

inline Entry& entry_of(Message& message) {
  return static_cast<Entry&>(message);  // the index makes no other
}
inline Entry& entry_of(const Shipment& shipment) {
  return entry_of(*shipment.message);
}

// A pair of readings, taken together.
struct Clock {
  SteadyTime now;
  WallTime wall;
};

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
  std::uint64_t based_ids = 0;  // and the exclusive or of the checksums of their ids
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
  // What a start would have to know of the entry, but for the replies there were.
  Summary summary_of(const Entry& entry, Clock clock) const;
  // A summary of the entry has become durable in this state segment.
  void set_base(Entry& entry, std::uint64_t segment);
  // What is to be told of it; null: nothing.
  const Debt* debt(MessageId id) const;
  const std::map<std::uint64_t, Debt>& debts() const { return debts_; }
  Entry* find(MessageId id);
  Shipment* find(ShipmentId id);
  void erase(Entry& entry);
  // Its record was written again, elsewhere.
  void move(Entry& entry, Position where, std::uint32_t length);

  // The message is gone on disk, though whoever has a shipment may still look at it. Nothing more of it is
  // handed out.
  void doom(Entry& entry);

  // --- what happens to messages; in index_events.cpp ---

  // What an attempt did: recipients, attempts (unless it was counted), doubt. Who is left pending waits as a
  // shipment, who is left doubtful as another, and whoever else was in a ready one is due at once. False:
  // every recipient is delivered, the entry is to be erased. When nobody is left it is failed, and due for
  // removal after `keep_failed`.
  bool apply(Entry& entry, const Outcome& outcome, bool counted, Duration keep_failed, Clock clock,
             std::uint8_t route_step = 0);
  // Whose end, by the outcome that is applied next, is to be told. While anything is owed the entry
  // stays.
  void owe(const Entry& entry, const Debt& debt);
  // What is owed no longer. False: that was all that was left to do, the entry is to be erased.
  bool told(Entry& entry, const Told& told);
  // The report with that id has told something of it that is still owed.
  bool is_news(const Entry& entry, const Told& told, MessageId report) const;
  // After this outcome the recipients of the shipment would be in more than one.
  bool parts(const Shipment& shipment, const Outcome& outcome) const;
  // The message may get more shipments by an outcome. A start does not ask: it must take what is on disk.
  static bool may_part(const Message& message);
  // The outcome, told of all of the shipment, so that it parts nobody: if one of them is in doubt, all are.
  Outcome of_all(const Shipment& shipment, Outcome outcome) const;
  // Moves these recipients, who are still to be sent, into a shipment of their own, and returns it. Where
  // they are all of a shipment, that is returned as it is. A new one copies attempts, doubt and hold from the
  // first recipient's; the caller sets its time. At the limit of shipments they stay in that one, with
  // others.
  Shipment& part(Entry& entry, const std::vector<std::uint32_t>& recipients);
  // Of these recipients, or of all where there are none, those still to be sent.
  static std::vector<std::uint32_t> unsent_of(const Entry& entry,
                                              const std::vector<std::uint32_t>& recipients);
  // An attempt that may end without a word has begun: it counts, and these recipients are doubtful from here.
  void mark_in_doubt(Shipment& shipment, std::string_view upstream,
                     std::span<const std::uint32_t> recipients);
  // The same as a start knows it: its recipients are a shipment, which nobody has now, and which is due then.
  void apply(Entry& entry, const Doubt& doubt, SteadyTime due);
  // An attempt that was marked has ended without a word.
  void leave_in_doubt(Shipment& shipment);
  // Nobody has taken it: its recipients are pending again, and it is due at once.
  void not_taken(Shipment& shipment, Clock clock);
  // All of the message but what is ready waits and is due at once; the failed recipients of a failed one are
  // pending again.
  void retry(Entry& entry, Clock clock, MessageId newest);
  // The newest id given out when its failed recipients were last made pending again.
  MessageId retried(const Entry& entry) const;
  // Something of it would still be sent.
  static bool may_be_held(const Entry& entry);
  // All of it but what is ready: that is held once it is given back.
  void hold(Entry& entry);
  void hold(Shipment& shipment);

  void set_waiting(Shipment& shipment, SteadyTime due);
  // Waits until `due`; held instead where it is held, or where that was asked while it was ready.
  void set_waiting_or_held(Shipment& shipment, SteadyTime due);
  void set_failed(Entry& entry, SteadyTime until);
  // Ready or held: no time matters.
  void set_timeless(Shipment& shipment, MessageState state);

  // The waiting or failed shipment with the earliest time; null when there is none.
  Shipment* next() const { return heap_.empty() ? nullptr : heap_.front(); }

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
  std::size_t based() const { return based_; }                  // messages that have a summary
  std::uint64_t based_need() const { return based_need_; }      // their part of state_need()
  std::uint64_t large_octets() const { return large_octets_; }  // of bodies that are a file of their own
  std::size_t doomed() const { return doomed_; }                // and those that will never need one

  // Octets that the state log needs, at least, for what may happen to the living messages: their summaries,
  // twice, and for each a doubt, an outcome without its texts, and that it was reported.
  std::uint64_t state_need() const { return state_need_; }
  static std::uint64_t state_need(std::size_t sender, std::size_t recipients, std::size_t shipments = 1);

 private:
  struct TextHash : std::hash<std::string_view> {
    using is_transparent = void;
  };

  std::string_view intern(std::string_view text);
  void forget(std::string_view text);
  void count(const Entry& entry, std::ptrdiff_t change);
  void count_doubt(const Shipment& shipment, std::ptrdiff_t change);
  void link(Entry& entry);
  void unlink(Entry& entry);
  void count_base(Entry& entry, bool there);
  static std::uint64_t need_of(const Entry& entry);
  void count_need(const Entry& entry, std::uint64_t before);
  void set(Shipment& shipment, const SummaryShipment& from, WallTime when, Clock clock);

  // The doubt that a shipment was in before the attempt that is under way, and who of it was not marked.
  struct EarlierDoubt {
    std::string upstream;
    std::uint8_t doubts = 0;
    std::vector<std::uint32_t> unmarked;
  };

  struct Named;
  Named take_states(Entry& entry, const Outcome& outcome);
  void end(Entry& entry, SteadyTime removal);
  void set_doubt(Shipment& shipment, std::string_view upstream, std::uint8_t doubts);
  void move(Entry& entry, const std::vector<std::uint32_t>& recipients, Shipment& to);
  Shipment* add_shipment(Entry& entry, const Shipment& as);
  void drop_empty(Entry& entry);
  void bring_together(ShipmentId id);
  void end_attempt(Shipment& shipment, SteadyTime due);
  Shipment* part_pending(Shipment& shipment);
  std::optional<EarlierDoubt> unmarked(const Shipment& shipment) const;
  void let_go(Shipment& shipment);

  void set_state(Shipment& shipment, MessageState state);
  void update_state(Entry& entry);
  void set_time(Shipment& shipment, SteadyTime due);
  void clear_time(Shipment& shipment);
  void sift(std::size_t slot);
  void place(std::size_t index, Shipment* shipment);

  std::unordered_map<std::uint64_t, Entry> entries_;
  std::unordered_map<std::uint64_t, EarlierDoubt> earlier_doubts_;  // by shipment
  std::map<std::uint64_t, Debt> debts_;                             // by message
  std::unordered_map<std::uint64_t, MessageId> retried_;            // likewise
  std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>>
      texts_;                    // senders and upstreams, with use counts
  std::vector<Shipment*> heap_;  // binary, earliest first, equal times by id
  std::map<std::uint64_t, SegmentUse> segments_;
  std::uint64_t living_ = 0;
  std::uint64_t state_need_ = 0;
  std::uint64_t large_octets_ = 0;
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
