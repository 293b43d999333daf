#include "queue/index.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace relayd::queue {

Shipment& Entry::shipment_of(std::uint32_t recipient) {
  if (!parting || parting->number_of[recipient] == 0) return first;
  const auto found = parting->others.find(parting->number_of[recipient]);
  return found == parting->others.end() ? first : found->second;
}

std::vector<std::uint32_t> Entry::recipients_of(const Shipment& shipment) const {
  std::vector<std::uint32_t> recipients;
  recipients.reserve(shipment.unsent);
  for (std::uint32_t i = 0; i < states.size(); ++i)
    if (states.is_unsent(i) && (!parting || parting->number_of[i] == shipment.id.number()))
      recipients.push_back(i);
  return recipients;
}

SteadyTime due_time(WallTime when, WallTime moment, Clock clock) {
  const auto longest = std::max(moment - when, WallTime::duration::zero());
  return clock.now + std::clamp(moment - clock.wall, WallTime::duration::zero(), longest);
}

Entry& Index::add(MessageId id, const MessageFacts& facts, const Envelope& envelope, Position where,
                  std::uint32_t length, Clock clock) {
  if (Entry* old = find(id)) erase(*old);
  Entry& entry = entries_[id.value];
  entry.first.id = {id, 0};
  entry.first.message = &entry;
  entry.size = facts.size;
  entry.accepted = entry.lives_from = facts.accepted;
  entry.routing_sender = intern(envelope.routing_sender);
  entry.by_reference = facts.by_reference;
  if (entry.by_reference) large_octets_ += entry.size;
  entry.states = RecipientStates(static_cast<std::uint32_t>(envelope.recipients.size()));
  entry.first.unsent = entry.states.size();
  entry.where = where;
  entry.length = length;
  if (!envelope.expanded.empty()) debts_[id.value].expanded = true;
  state_need_ += state_need(entry.routing_sender.size(), entry.states.size());
  link(entry);
  count(entry, +1);
  if (facts.held)
    set_timeless(entry.first, MessageState::held);
  else
    set_waiting(entry.first, clock.now);
  return entry;
}

Entry& Index::add(MessageId id, const Summary& summary, Position place, Clock clock) {
  if (Entry* old = find(id)) erase(*old);
  Entry& entry = entries_[id.value];
  entry.first.id = {id, 0};
  entry.first.message = &entry;
  entry.size = summary.size;
  entry.accepted = summary.accepted;
  entry.lives_from = summary.lives_from;
  entry.routing_sender = intern(summary.routing_sender);
  entry.by_reference = summary.by_reference;
  if (entry.by_reference) large_octets_ += entry.size;
  entry.states = RecipientStates(static_cast<std::uint32_t>(summary.states.size()));
  for (std::uint32_t i = 0; i < summary.states.size(); ++i) {
    entry.states.set(i, summary.states[i]);
    entry.first.unsent += is_unsent(summary.states[i]);
  }
  entry.where = summary.where;
  entry.length = summary.length;
  entry.warned = summary.warned;
  if (!summary.debt.empty()) debts_[id.value] = summary.debt;
  if (summary.debt.since != MessageId()) retried_[id.value] = summary.debt.since;
  state_need_ += state_need(entry.routing_sender.size(), entry.states.size());
  link(entry);
  set_base(entry, place.segment);
  entry.last = place;
  count(entry, +1);
  if (summary.state == MessageState::failed) {
    entry.first.attempts = summary.attempts;
    end(entry, due_time(summary.when, summary.next, clock));
    return entry;
  }
  for (const SummaryOther& other : summary.others) {
    const std::vector<std::uint32_t> recipients = unsent_of(entry, other.recipients);
    if (!other.recipients.empty() && !recipients.empty())
      set(part(entry, recipients), other, summary.when, clock);
  }
  if (entry.first.unsent > 0) set(entry.first, summary, summary.when, clock);  // those in no other
  return entry;
}

// Revision 0 knew one doubt for all recipients: those who are not in doubt are parted here.
void Index::set(Shipment& shipment, const SummaryShipment& from, WallTime when, Clock clock) {
  shipment.attempts = from.attempts;
  shipment.hold_asked = from.state == MessageState::held;
  set_doubt(shipment, from.doubted, from.doubts);
  const SteadyTime due = due_time(when, from.next, clock);
  if (Shipment* const rest = part_pending(shipment)) set_waiting_or_held(*rest, due);
  set_waiting_or_held(shipment, due);
}

void Index::set_base(Entry& entry, std::uint64_t segment) {
  if (entry.base == 0 && !entry.doomed) count_base(entry, true);
  entry.base = segment;
}

void Index::doom(Entry& entry) {
  if (entry.base != 0) count_base(entry, false);
  entry.doomed = true;
  ++doomed_;
  debts_.erase(entry.id().value);
  entry.for_each_shipment([this](Shipment& shipment) {
    if (shipment.state != MessageState::ready) set_timeless(shipment, MessageState::held);
  });
}

Entry* Index::find(MessageId id) {
  const auto found = entries_.find(id.value);
  return found == entries_.end() ? nullptr : &found->second;
}

Shipment* Index::find(ShipmentId id) {
  Entry* const entry = find(id.message());
  if (!entry) return nullptr;
  if (id.number() == 0) return entry->first.unsent > 0 ? &entry->first : nullptr;
  if (!entry->parting) return nullptr;
  const auto found = entry->parting->others.find(id.number());
  return found == entry->parting->others.end() ? nullptr : &found->second;
}

void Index::erase(Entry& entry) {
  count(entry, -1);
  state_need_ -= need_of(entry);
  if (entry.by_reference) large_octets_ -= entry.size;
  unlink(entry);
  forget(entry.routing_sender);
  let_go(entry.first);
  if (entry.parting)
    for (auto& [number, shipment] : entry.parting->others) let_go(shipment);
  if (entry.doomed) --doomed_;
  debts_.erase(entry.id().value);
  retried_.erase(entry.id().value);
  entries_.erase(entry.id().value);
}

void Index::shrink() {
  entries_.rehash(0);
  texts_.rehash(0);
  heap_.shrink_to_fit();
}

void Index::move(Entry& entry, Position where, std::uint32_t length) {
  unlink(entry);
  entry.where = where;
  entry.length = length;
  link(entry);
}

// What the index keeps for a shipment elsewhere.
void Index::let_go(Shipment& shipment) {
  clear_time(shipment);
  set_doubt(shipment, {}, 0);
  earlier_doubts_.erase(shipment.id.value);
}

void Index::set_waiting(Shipment& shipment, SteadyTime due) {
  shipment.hold_asked = false;
  set_state(shipment, MessageState::waiting);
  set_time(shipment, due);
}

void Index::set_failed(Entry& entry, SteadyTime until) {
  set_state(entry.first, MessageState::failed);
  set_time(entry.first, until);
}

void Index::set_timeless(Shipment& shipment, MessageState state) {
  if (state == MessageState::held) shipment.hold_asked = false;
  set_state(shipment, state);
  clear_time(shipment);
}

std::vector<Entry*> Index::by_id() {
  std::vector<Entry*> all;
  all.reserve(entries_.size());
  for (auto& [id, entry] : entries_) all.push_back(&entry);
  std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->id() < b->id(); });
  return all;
}

// --- segments ---

void Index::written(std::uint64_t segment, std::uint64_t bytes) {
  segments_[segment].bytes += bytes;
}

void Index::left(std::uint64_t segment) {
  const auto found = segments_.find(segment);
  if (found != segments_.end() && found->second.leaving > 0) --found->second.leaving;
}

void Index::forget(std::uint64_t segment) {
  segments_.erase(segment);
}

void Index::link(Entry& entry) {
  SegmentUse& use = segments_[entry.where.segment];
  use.living += entry.length;
  ++use.count;
  living_ += entry.length;
  if (entry.base != 0 && !entry.doomed) count_base(entry, true);
}

void Index::unlink(Entry& entry) {
  if (entry.base != 0 && !entry.doomed) count_base(entry, false);
  SegmentUse& use = segments_[entry.where.segment];
  use.living -= entry.length;
  --use.count;
  living_ -= entry.length;
}

void Index::count_base(Entry& entry, bool there) {
  SegmentUse& use = segments_[entry.where.segment];
  there ? ++use.based : --use.based;
  there ? ++based_ : --based_;
  const std::uint64_t need = need_of(entry);
  there ? based_need_ += need : based_need_ -= need;
  use.based_ids ^= id_checksum(entry.id());
}

namespace {

SummaryShipment known_of(const Shipment& shipment, Clock clock) {
  SummaryShipment known;
  const bool held = shipment.hold_asked || shipment.state == MessageState::held;
  known.state = held                        ? MessageState::held
                : has_ended(shipment.state) ? shipment.state
                                            : MessageState::waiting;
  known.doubts = shipment.doubts;
  known.attempts = shipment.attempts;
  known.doubted = shipment.doubted;
  known.next = clock.wall;
  // While somebody has it, its time matters only if nothing is heard of that attempt.
  // One that stands in a line is due, whatever it is handed out at.
  const bool in_line = shipment.state == MessageState::waiting && shipment.line != 0;
  if (!in_line &&
      (shipment.state == MessageState::waiting || shipment.state == MessageState::failed || shipment.counted))
    known.next +=
        std::chrono::duration_cast<WallTime::duration>(std::max(shipment.due - clock.now, Duration::zero()));
  return known;
}

}  // namespace

Summary Index::summary_of(const Entry& entry, Clock clock) const {
  Summary summary;
  summary.where = entry.where;
  summary.length = entry.length;
  summary.by_reference = entry.by_reference;
  summary.size = entry.size;
  summary.accepted = entry.accepted;
  summary.lives_from = entry.lives_from;
  summary.when = clock.wall;
  summary.routing_sender = entry.routing_sender;
  summary.states = entry.states.unpacked();
  summary.warned = entry.warned;
  if (const Debt* const owed = debt(entry.id())) summary.debt = *owed;
  summary.debt.since = retried(entry);
  bool is_first = true;
  entry.for_each_shipment([&](const Shipment& shipment) {
    const SummaryShipment known = known_of(shipment, clock);
    if (std::exchange(is_first, false))
      static_cast<SummaryShipment&>(summary) = known;
    else
      summary.others.push_back({known, entry.recipients_of(shipment)});
    // This attempt was announced for some of them only. The others have not had it, and are as they were.
    const std::optional<EarlierDoubt> before = unmarked(shipment);
    if (!before) return;
    SummaryOther rest{{known.state, before->doubts, static_cast<std::uint16_t>(known.attempts - 1),
                       clock.wall, before->upstream},
                      before->unmarked};
    summary.others.push_back(std::move(rest));
  });
  return summary;
}

std::uint64_t Index::state_need(std::size_t sender, std::size_t recipients, std::size_t shipments) {
  constexpr std::uint64_t fixed = 768, of_recipient = 64;
  return fixed * shipments + 2 * sender + of_recipient * recipients;
}

// The need was another before.
void Index::count_need(const Entry& entry, std::uint64_t before) {
  const std::uint64_t more = need_of(entry) - before;  // perhaps less: then it wraps, twice
  state_need_ += more;
  if (entry.base != 0 && !entry.doomed) based_need_ += more;
}

std::uint64_t Index::need_of(const Entry& entry) {
  const std::size_t others = entry.parting ? entry.parting->others.size() : 0;
  return state_need(entry.routing_sender.size(), entry.states.size(), 1 + others);
}

// --- senders, totals ---

std::string_view Index::intern(std::string_view text) {
  if (text.empty()) return {};
  auto place = texts_.find(text);
  if (place == texts_.end()) place = texts_.try_emplace(std::string(text), 0).first;
  ++place->second;
  return place->first;
}

void Index::forget(std::string_view text) {
  if (text.empty()) return;
  const auto place = texts_.find(text);
  if (--place->second == 0) texts_.erase(place);
}

void Index::count(const Entry& entry, std::ptrdiff_t change) {
  std::size_t* const totals[] = {&totals_.waiting, &totals_.ready, &totals_.held, &totals_.failed,
                                 &totals_.reporting};
  const auto state = static_cast<std::size_t>(entry.state);
  *totals[state] += static_cast<std::size_t>(change);
  totals_.octets[state].count += static_cast<std::uint64_t>(change) * entry.size;
}

void Index::count_doubt(const Shipment& shipment, std::ptrdiff_t change) {
  if (shipment.in_doubt() && shipment.state == MessageState::held)
    totals_.held_in_doubt += static_cast<std::size_t>(change);
}

namespace {

MessageState joint_state(const Entry& entry) {
  bool waits = false, held = false;
  bool ready = false;
  entry.for_each_shipment([&](const Shipment& shipment) {
    ready |= shipment.state == MessageState::ready;
    waits |= shipment.state == MessageState::waiting;
    held |= shipment.state == MessageState::held;
  });
  if (ready) return MessageState::ready;
  if (waits) return MessageState::waiting;
  return held ? MessageState::held : MessageState::failed;
}

}  // namespace

void Index::set_state(Shipment& shipment, MessageState state) {
  count_doubt(shipment, -1);
  shipment.state = state;
  count_doubt(shipment, +1);
  update_state(entry_of(shipment));
}

void Index::update_state(Entry& entry) {
  const MessageState state = entry.parting ? joint_state(entry) : entry.first.state;
  if (state == entry.state) return;
  count(entry, -1);
  entry.state = state;
  count(entry, +1);
}

// --- the heap of times ---

void Index::set_time(Shipment& shipment, SteadyTime due) {
  shipment.due = due;
  if (shipment.heap_slot == 0) {
    heap_.push_back(&shipment);
    shipment.heap_slot = static_cast<std::uint32_t>(heap_.size());
  }
  sift(shipment.heap_slot - 1);
}

void Index::clear_time(Shipment& shipment) {
  if (shipment.heap_slot == 0) return;
  const std::size_t hole = shipment.heap_slot - 1;
  shipment.heap_slot = 0;
  Shipment* const moved = heap_.back();
  heap_.pop_back();
  if (moved == &shipment) return;
  place(hole, moved);
  sift(hole);
}

void Index::place(std::size_t index, Shipment* shipment) {
  heap_[index] = shipment;
  shipment->heap_slot = static_cast<std::uint32_t>(index + 1);
}

// Moves the shipment at `index` up or down to where it belongs.
void Index::sift(std::size_t index) {
  const auto earlier = [](const Shipment* a, const Shipment* b) {
    return std::tie(a->due, a->id) < std::tie(b->due, b->id);
  };
  Shipment* const shipment = heap_[index];
  while (index > 0 && earlier(shipment, heap_[(index - 1) / 2])) {
    place(index, heap_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child + 1 < heap_.size() && earlier(heap_[child + 1], heap_[child])) ++child;
    if (child >= heap_.size() || !earlier(heap_[child], shipment)) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, shipment);
}

}  // namespace relayd::queue
