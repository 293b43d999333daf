// Queue: every message is on disk before its 250, waits here for its time, and leaves with its outcome on
// disk.
//
// Second stage of the path. Owns the queue directory, its two logs with a writer thread each, and the index
// in memory. Belongs to the loop's thread. It knows nothing of SMTP, routes or upstreams. The bytes and the
// argument for every crash are in FORMAT.md.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "queue/message.hpp"
#include "queue/sync_times.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/task.hpp"
#include "shared/async/workers.hpp"
#include "shared/base/bytes.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

struct Options {
  std::string directory;
  Bytes segment_size = 64_MiB;
  Bytes inline_limit = 256_KiB;  // larger bodies become a file of their own
  Bytes reserve = 256_MiB;       // free space under which commit() refuses
  Duration keep_failed = std::chrono::hours(14 * 24);
};

// The queue cannot take a message now (commit), or cannot be opened at all (open: the text says why).
class QueueError : public std::runtime_error {
 public:
  enum class Kind {
    full,    // disk full or below the reserve: 452
    failed,  // a read, write or sync failed; of a commit: 451, nothing of the message will be sent
    locked,  // open: another process has this queue
    broken,  // open: directory not usable, or written by a newer version
  };
  QueueError(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}
  Kind kind() const { return kind_; }

 private:
  Kind kind_;
};

// What start-up found.
struct Recovery {
  std::size_t messages = 0;         // living, failed ones included
  std::vector<MessageId> in_doubt;  // may already have been taken by an upstream
  std::size_t segments = 0;         // in use, of both logs
  Bytes read;
  Duration took{};
  std::vector<std::string> set_aside;  // a line each: what was not sound, where it is now, why
  bool persistent = true;              // false: tmpfs or an overlay, gone with the container
};

// How far load() has come.
struct Progress {
  Bytes read;
  Bytes total;
  std::size_t messages = 0;
};

struct Message;

// Recipients of one message who are handed out together and share attempts, doubt and the next time. A
// message begins with one shipment; an attempt that ends differently for some of its recipients parts it. All
// of its unsent recipients are in doubt, or none is; only while it is ready may an attempt have put some in
// doubt. Its address is stable until its last recipient has left it: for an end, or for another shipment
// while it waits. Changed by the queue alone, except `line`, `route` and `route_step`, which are the relay's.
struct Shipment {
  ShipmentId id;
  Message* message = nullptr;
  SteadyTime due;            // while waiting
  std::string_view doubted;  // the upstream that may have it, while in doubt; owned by the index
  std::uint32_t unsent = 0;  // how many recipients are still to be sent
  // The relay's: the line it stands in; 0: none. While it waits there it is due, and `due` is when it is
  // handed out again all the same.
  std::uint32_t line = 0;
  std::uint32_t route = 0;      // the relay's: which of its routes; 0: not known. Not on disk
  std::uint32_t heap_slot = 0;  // the index's: 1 + its place in the heap of times; 0: not in it
  std::uint16_t attempts = 0;
  MessageState state = MessageState::waiting;
  std::uint8_t doubts = 0;  // how often in a row `doubted` may have taken it and nothing was heard; 0: none
  std::uint8_t route_step = 0;  // the relay's: which upstream of the route is next; not on disk
  // The queue's own, of the attempt that is under way:
  bool counted = false;     // mark_in_doubt() has counted it
  bool whole = false;       // its doubt on disk names all recipients, as there was no room to part them
  bool hold_asked = false;  // held as soon as it is given back; while waiting: never set

  bool in_doubt() const { return doubts > 0; }
};

// Where the recipients of a message are that has, or had, several shipments.
struct Parting {
  std::map<std::uint16_t, Shipment> others;  // by number, from 1
  std::vector<std::uint16_t> number_of;      // each recipient's shipment
};

// The index entry of a living message. Its address is stable until the message is removed. Changed by the
// queue alone.
struct Message {
  Shipment first;  // number 0; nobody may be left in it while there are others
  std::unique_ptr<Parting> parting;
  std::uint64_t size = 0;  // octets of header and body, as stored
  WallTime accepted;
  WallTime lives_from;  // its lifetime counts from here: `accepted`, or later by retry() or renew()
  std::string_view routing_sender;  // owned by the index
  // Ready, if a shipment is; waiting, if one is; held, if all are; failed or reporting, if nobody is left to
  // be sent.
  MessageState state = MessageState::waiting;
  std::uint32_t warned = 0;  // delay warnings were given up to this age, in seconds; see Told
  // The queue keeps its own positions behind these.

  MessageId id() const { return first.id.message(); }
  // Those with somebody left, or the first of a failed message.
  template <class Visit>
  void for_each_shipment(Visit visit);
  template <class Visit>
  void for_each_shipment(Visit visit) const;
  std::uint32_t unsent() const;
  std::uint16_t attempts() const;  // of the shipment that had most
  bool in_doubt() const;           // of a recipient at least
};

struct Totals {
  std::size_t waiting = 0;
  std::size_t ready = 0;
  std::size_t held = 0;
  std::size_t failed = 0;
  std::size_t reporting = 0;
  // Since open():
  std::size_t in_doubt = 0;  // messages that open() found in doubt
  std::size_t troubles = 0;  // lines for the log that on_trouble was given
  // Now again:
  std::array<Bytes, 5> octets{};  // of the messages in each MessageState
  // Shipments, each a message or the part of one, that are held and that an upstream may have taken.
  std::size_t held_in_doubt = 0;
};

// What the queue has of the disk, and what that does.
struct DiskUse {
  Bytes files;  // of both logs, as much as they are given, and of bodies that are a file of their own
  SyncTimes messages;
  SyncTimes state;
};

// A message being received. Bytes go in as they will be sent (CR LF lines, no dot-stuffing). Holds at most
// inline_limit and one append in memory. Dropping it leaves nothing behind; it must not outlive the queue,
// nor be dropped while its flush() runs.
class Draft {
 public:
  Draft(Draft&&) noexcept;
  Draft& operator=(Draft&&) noexcept;
  ~Draft();

  MessageId id() const;
  std::uint64_t size() const;

  // Appends. True: call flush() before the next append, memory is at its bound.
  bool append(std::string_view bytes);
  // Throws QueueError (full, failed); the draft is then only good for dropping.
  async::Task<void> flush();

 private:
  friend class Queue;
  struct State;
  explicit Draft(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A message read back for sending.
struct Content {
  Envelope envelope;
  std::vector<RecipientState> states;     // of all recipients, for look()
  std::vector<std::uint32_t> recipients;  // of the shipment, still to be sent, for read()
  std::string body;                       // header and body when stored inline
  int file = -1;  // else a file to be read from 0 to `size`; owned, closed with the Content
  std::uint64_t size = 0;
  Content() = default;
  Content(Content&&) noexcept;
  Content& operator=(Content&&) noexcept;
  ~Content();
};

template <class Visit>
void Message::for_each_shipment(Visit visit) {
  if (first.unsent > 0 || !parting) visit(first);
  if (parting)
    for (auto& [number, shipment] : parting->others) visit(shipment);
}

template <class Visit>
void Message::for_each_shipment(Visit visit) const {
  if (first.unsent > 0 || !parting) visit(first);
  if (parting)
    for (const auto& [number, shipment] : parting->others) visit(shipment);
}

inline std::uint32_t Message::unsent() const {
  std::uint32_t count = 0;
  for_each_shipment([&count](const Shipment& shipment) { count += shipment.unsent; });
  return count;
}

inline std::uint16_t Message::attempts() const {
  std::uint16_t most = 0;
  for_each_shipment([&most](const Shipment& shipment) { most = std::max(most, shipment.attempts); });
  return most;
}

inline bool Message::in_doubt() const {
  bool found = false;
  for_each_shipment([&found](const Shipment& shipment) { found |= shipment.in_doubt(); });
  return found;
}

class Queue {
 public:
  Queue(async::Loop& loop, async::Workers& workers, disk::Disk& disk, Options options);
  ~Queue();  // writes what is pending, then joins both writers and the keeper

  // Takes the lock, reads both logs, goes on where they end. Blocks (start-up only). Throws QueueError.
  Recovery open() {
    load({});
    return begin();
  }
  // The same in two parts: load() reads, on any thread, while nothing else of the queue is used, and calls
  // `progress` now and then; begin() takes up work, on the loop's thread.
  void load(const std::function<void(const Progress&)>& progress);
  Recovery begin();

  // Called for every shipment whose time has come, earliest due first; it is then `ready`. Set before
  // open()'s messages can be due (nothing is called before the loop runs).
  void on_due(std::function<void(Shipment&)> callback);

  // Called with each message of which something has come to be owed, at a start as well; it may not
  // be durable yet. Set like on_due().
  void on_debt(std::function<void(MessageId)> callback);

  // Called with a line for the log when the disk fails, mail is refused or something in the queue is damaged;
  // while that lasts, not for each message.
  void on_trouble(std::function<void(const std::string&)> callback);

  // --- accept ---
  Draft draft();
  // Returns when the message is durable: it is then waiting and due at once, or held. Throws QueueError;
  // nothing is kept then.
  async::Task<MessageId> commit(Draft draft, const Envelope& envelope, bool held = false);

  // --- send ---
  // Throws QueueError{failed} when the disk cannot give the bytes (the shipment then waits for ten seconds;
  // the third time the message is held), or they are missing or damaged (the message is then held, and what
  // is left of it set aside).
  async::Task<Content> read(Shipment& shipment);
  // The same for somebody who has not got a shipment: whatever comes of it, nothing changes. Who wants the
  // header alone takes a body in a file of its own as it is, damaged or not.
  enum class Wanted { all, header };
  async::Task<Content> look(Message& message, Wanted wanted = Wanted::all);
  // Durable before it returns: from here a crash leaves these recipients doubtful, counts as their attempt,
  // and they are due at `next_attempt`. Call once an attempt, before the final dot leaves. While the disk
  // fails, or room is short, it waits.
  async::Task<void> mark_in_doubt(Shipment& shipment, std::string_view upstream,
                                  std::span<const std::uint32_t> recipients, WallTime next_attempt);
  // Records the outcome of a ready shipment. Recipients left pending become one shipment, recipients left
  // doubtful another; both wait or are held, and go on at `route_step`. Recipients that the outcome does not
  // name had no attempt: they are due at once, from the first upstream. An outcome without recipients leaves
  // each as it is, and is an attempt of all. `owed`: of those who come to an end by it, whose end is to be
  // told, by a report or to webhooks; see debt(). Where there is no room to part them, all who are left share
  // the doubt and the next time. When nobody is left, the message is failed, reporting or removed. `shipment`
  // may be gone afterwards. Memory changes at once; the record is written with the next batch, and retried
  // until it is durable.
  void settle(Shipment& shipment, Outcome outcome, std::uint8_t route_step = 0, const Debt& owed = {});
  // Moves these recipients of a ready shipment, not all of it, into one of their own, which is ready, too;
  // not recorded. Null: the message has as many as it can, or there is no room for more, and they stay.
  Shipment* part(Shipment& shipment, const std::vector<std::uint32_t>& recipients);
  // Who of the message is in the shipment and still to be sent, ascending.
  std::vector<std::uint32_t> recipients(const Shipment& shipment) const;
  // Gives a ready shipment back without an attempt: due again at `when`. Not recorded.
  void release(Shipment& shipment, SteadyTime when);
  // Makes a waiting shipment ready before its time; on_due is not called. Whoever begins an attempt asks
  // may_begin() first. False: it does not wait.
  bool take(Shipment& shipment);
  // False while what was begun waits for the disk, or room in the state log is short.
  bool may_begin() const;

  // --- operator ---
  // Of all shipments of a message. One that is ready is held, or removed, when it is given back. A failed
  // message cannot be held.
  void hold(Message& message);
  // Of this one alone.
  void hold(Shipment& shipment);
  // Due now. A failed message gets its failed recipients back as pending, and its lifetime anew.
  void retry(Message& message);
  // The operator knows that the upstreams in doubt have not taken it: due now, wherever its route leads.
  void not_taken(Message& message);
  void remove(Message& message);
  // Its lifetime counts from now.
  void renew(Message& message);

  // What happened to a message so far, oldest first, as far as it is kept and can be read.
  async::Task<std::vector<HistoryEvent>> history(Message& message);

  Message* find(MessageId id);
  Shipment* find(ShipmentId id);  // null also when nobody is left in it
  // It is there, and nobody has removed or held it since it was read.
  bool may_leave(ShipmentId id) const;
  // Of those still to be sent, without held ones; null: none, or it has just gone. Looks at every message, a
  // few at a time: mail goes on meanwhile.
  async::Task<Message*> oldest();
  // Of all messages those that are wanted, `most` of them at most; walks as oldest() does.
  // `wanted` must live until it returns.
  async::Task<std::vector<MessageId>> find_all(const std::function<bool(const Message&)>& wanted,
                                               std::size_t most);
  std::vector<MessageId> ids() const;                         // of all living messages, in no order
  void for_each(const std::function<void(Message&)>& visit);  // by id
  Totals totals() const;
  DiskUse disk_use() const;

  // --- reports ---
  // What is still to be reported of a message; null: nothing. It outlives restarts, and as long as it lasts
  // the message stays. It ends by told(), by remove(), and where retry() has a recipient tried again. A start
  // that finds a report (Envelope::report) takes what that is about for told.
  const Debt* debt(MessageId id) const;
  // Reported, or not to be reported. Durable before whatever is recorded after it: so a report that was
  // committed before this call cannot be sent, and then be written again. The message may be gone afterwards.
  void told(Message& message, const Told& told);

  // Everything settled so far is durable when it returns.
  async::Task<void> flush();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace relayd::queue
