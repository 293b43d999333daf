#include "queue/index.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace relayd::queue {

RecipientStates::RecipientStates(std::uint32_t count) : count_(count) {
  if (count > per_word) many_ = std::make_unique<std::uint64_t[]>((count + per_word - 1) / per_word);
}

RecipientState RecipientStates::get(std::uint32_t recipient) const {
  return static_cast<RecipientState>(words()[recipient / per_word] >> (recipient % per_word * 2) & 3);
}

void RecipientStates::set(std::uint32_t recipient, RecipientState state) {
  std::uint64_t& word = words()[recipient / per_word];
  const std::uint32_t shift = recipient % per_word * 2;
  word = (word & ~(std::uint64_t{3} << shift)) | std::uint64_t{static_cast<std::uint8_t>(state)} << shift;
}

std::uint32_t RecipientStates::count(RecipientState state) const {
  std::uint32_t total = 0;
  for (std::uint32_t i = 0; i < count_; ++i) total += get(i) == state;
  return total;
}

std::vector<RecipientState> RecipientStates::unpacked() const {
  std::vector<RecipientState> states(count_);
  for (std::uint32_t i = 0; i < count_; ++i) states[i] = get(i);
  return states;
}

SteadyTime due_time(WallTime when, WallTime moment, Clock clock) {
  const auto longest = std::max(moment - when, WallTime::duration::zero());
  return clock.now + std::clamp(moment - clock.wall, WallTime::duration::zero(), longest);
}

Entry& Index::add(MessageId id, const MessageFacts& facts, const Envelope& envelope, Position where,
                  std::uint32_t length, Clock clock) {
  if (Entry* old = find(id)) erase(*old);
  Entry& entry = entries_[id.value];
  entry.id = id;
  entry.size = facts.size;
  entry.accepted = entry.lives_from = facts.accepted;
  entry.routing_sender = intern(envelope.routing_sender);
  entry.by_reference = facts.by_reference;
  entry.states = RecipientStates(static_cast<std::uint32_t>(envelope.recipients.size()));
  entry.pending = entry.states.size();
  entry.where = where;
  entry.length = length;
  state_need_ += state_need(entry.routing_sender.size(), entry.states.size());
  link(entry);
  count(entry.state, +1);
  if (facts.held)
    set_timeless(entry, MessageState::held);
  else
    set_waiting(entry, clock.now);
  return entry;
}

Entry& Index::add(MessageId id, const Summary& summary, Position place, Clock clock) {
  if (Entry* old = find(id)) erase(*old);
  Entry& entry = entries_[id.value];
  entry.id = id;
  entry.size = summary.size;
  entry.accepted = summary.accepted;
  entry.lives_from = summary.lives_from;
  entry.routing_sender = intern(summary.routing_sender);
  entry.by_reference = summary.by_reference;
  entry.attempts = summary.attempts;
  entry.states = RecipientStates(static_cast<std::uint32_t>(summary.states.size()));
  for (std::uint32_t i = 0; i < summary.states.size(); ++i) entry.states.set(i, summary.states[i]);
  entry.where = summary.where;
  entry.length = summary.length;
  state_need_ += state_need(entry.routing_sender.size(), entry.states.size());
  link(entry);
  set_base(entry, place.segment);
  entry.last = place;
  count(entry.state, +1);
  recount(entry);
  if (entry.in_doubt) set_doubt(entry, summary.doubted, summary.doubts);
  if (summary.state == MessageState::held)
    set_timeless(entry, MessageState::held);
  else if (summary.state == MessageState::failed)
    set_failed(entry, due_time(summary.when, summary.next, clock));
  else
    set_waiting(entry, due_time(summary.when, summary.next, clock));
  return entry;
}

void Index::set_base(Entry& entry, std::uint64_t segment) {
  if (entry.base == 0 && !entry.doomed) count_base(entry, true);
  entry.base = segment;
}

void Index::doom(Entry& entry) {
  if (entry.base != 0) count_base(entry, false);
  entry.doomed = true;
  ++doomed_;
}

Entry* Index::find(MessageId id) {
  const auto found = entries_.find(id.value);
  return found == entries_.end() ? nullptr : &found->second;
}

void Index::erase(Entry& entry) {
  clear_time(entry);
  count(entry.state, -1);
  state_need_ -= state_need(entry.routing_sender.size(), entry.states.size());
  unlink(entry);
  forget(entry.routing_sender);
  forget(entry.doubted);
  earlier_doubts_.erase(entry.id.value);
  if (entry.doomed) --doomed_;
  entries_.erase(entry.id.value);
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

bool Index::apply(Entry& entry, const Outcome& outcome, bool counted, Duration keep_failed, Clock clock) {
  bool is_new = false;  // the doubt: this attempt's own
  for (const RecipientOutcome& recipient : outcome.recipients) {
    if (recipient.recipient >= entry.states.size()) continue;
    entry.states.set(recipient.recipient, recipient.state);
    is_new |= recipient.state == RecipientState::doubtful;
  }
  recount(entry);
  const auto earlier = earlier_doubts_.find(entry.id.value);
  if (!entry.in_doubt) {
    set_doubt(entry, {}, 0);
  } else if (entry.doubted.empty()) {
    set_doubt(entry, outcome.upstream, 1);
  } else if (earlier != earlier_doubts_.end() && !is_new) {
    set_doubt(entry, earlier->second.upstream, earlier->second.doubts);
  }
  if (earlier != earlier_doubts_.end()) earlier_doubts_.erase(earlier);
  entry.route_step = 0;
  entry.counted = false;
  // A slice that is over, with others to come, is no attempt that failed.
  const bool is_slice =
      entry.pending > 0 && !outcome.recipients.empty() &&
      std::ranges::none_of(outcome.recipients, [](const RecipientOutcome& each) {
        return each.state == RecipientState::pending || each.state == RecipientState::doubtful;
      });
  if (is_slice && counted && entry.attempts > 0) --entry.attempts;
  if (!is_slice && !counted) ++entry.attempts;
  if (entry.pending > 0) {
    if (entry.hold_asked || entry.state == MessageState::held)
      set_timeless(entry, MessageState::held);
    else
      set_waiting(entry, due_time(outcome.when, outcome.next_attempt, clock));
    return true;
  }
  if (entry.states.count(RecipientState::failed) == 0) return false;
  const auto kept = std::chrono::duration_cast<WallTime::duration>(keep_failed);
  set_failed(entry, due_time(outcome.when, outcome.when + kept, clock));
  return true;
}

void Index::apply(Entry& entry, const Doubt& doubt) {
  const bool all = doubt.recipients.empty();
  const auto doubtful = [&entry](std::uint32_t recipient) {
    if (recipient < entry.states.size() && entry.states.get(recipient) == RecipientState::pending)
      entry.states.set(recipient, RecipientState::doubtful);
  };
  for (std::uint32_t i = 0; all && i < entry.states.size(); ++i) doubtful(i);
  for (const std::uint32_t recipient : doubt.recipients) doubtful(recipient);
  const bool again = entry.doubted == doubt.upstream;
  // Others of its recipients may be in doubt elsewhere: that comes back when this attempt leaves no doubt.
  if (!again && !entry.doubted.empty())
    earlier_doubts_[entry.id.value] = {std::string(entry.doubted), entry.doubts};
  recount(entry);
  set_doubt(entry, doubt.upstream, static_cast<std::uint8_t>(again ? std::min(entry.doubts + 1, 255) : 1));
  entry.counted = true;
  ++entry.attempts;
}

void Index::not_taken(Entry& entry, Clock clock) {
  for (std::uint32_t i = 0; i < entry.states.size(); ++i)
    if (entry.states.get(i) == RecipientState::doubtful) entry.states.set(i, RecipientState::pending);
  recount(entry);
  set_doubt(entry, {}, 0);
  if (entry.state != MessageState::failed) set_waiting(entry, clock.now);
}

// What follows from the states of the recipients.
void Index::recount(Entry& entry) {
  entry.pending = entry.states.unsent();
  entry.doubtful = entry.states.count(RecipientState::doubtful);
  entry.in_doubt = entry.doubtful > 0;
}

void Index::retry(Entry& entry, Clock clock) {
  const bool again = entry.state == MessageState::failed;
  for (std::uint32_t i = 0; again && i < entry.states.size(); ++i)
    if (entry.states.get(i) == RecipientState::failed) entry.states.set(i, RecipientState::pending);
  if (again) entry.lives_from = clock.wall;
  entry.route_step = 0;
  recount(entry);
  set_waiting(entry, clock.now);
}

void Index::set_doubt(Entry& entry, std::string_view upstream, std::uint8_t doubts) {
  const std::string_view before = entry.doubted;
  entry.doubted = intern(upstream);
  entry.doubts = doubts;
  forget(before);
}

void Index::set_waiting(Entry& entry, SteadyTime due) {
  set_state(entry, MessageState::waiting);
  set_time(entry, due);
}

void Index::set_failed(Entry& entry, SteadyTime until) {
  set_state(entry, MessageState::failed);
  set_time(entry, until);
}

void Index::set_timeless(Entry& entry, MessageState state) {
  set_state(entry, state);
  clear_time(entry);
}

std::vector<Entry*> Index::by_id() {
  std::vector<Entry*> all;
  all.reserve(entries_.size());
  for (auto& [id, entry] : entries_) all.push_back(&entry);
  std::sort(all.begin(), all.end(), [](const Entry* a, const Entry* b) { return a->id < b->id; });
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
  const std::uint64_t need = state_need(entry.routing_sender.size(), entry.states.size());
  there ? based_need_ += need : based_need_ -= need;
  use.based_ids ^= entry.id.value;
}

Summary summary_of(const Entry& entry, Clock clock) {
  Summary summary;
  summary.where = entry.where;
  summary.length = entry.length;
  const bool held = entry.hold_asked || entry.state == MessageState::held;
  summary.state = held                                  ? MessageState::held
                  : entry.state == MessageState::failed ? MessageState::failed
                                                        : MessageState::waiting;
  summary.by_reference = entry.by_reference;
  summary.doubts = entry.doubts;
  summary.attempts = entry.attempts;
  summary.size = entry.size;
  summary.accepted = entry.accepted;
  summary.lives_from = entry.lives_from;
  summary.when = summary.next = clock.wall;
  // While somebody has it, its time matters only if nothing is heard of that attempt.
  // One that stands in a line is due, whatever it is handed out at.
  const bool in_line = entry.state == MessageState::waiting && entry.line != 0;
  if (!in_line &&
      (entry.state == MessageState::waiting || entry.state == MessageState::failed || entry.counted))
    summary.next +=
        std::chrono::duration_cast<WallTime::duration>(std::max(entry.due - clock.now, Duration::zero()));
  summary.routing_sender = entry.routing_sender;
  summary.doubted = entry.doubted;
  summary.states = entry.states.unpacked();
  return summary;
}

std::uint64_t Index::state_need(std::size_t sender, std::size_t recipients) {
  constexpr std::uint64_t fixed = 512, of_recipient = 32;
  return fixed + 2 * sender + of_recipient * recipients;
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

void Index::count(MessageState state, std::ptrdiff_t change) {
  std::size_t* const totals[] = {&totals_.waiting, &totals_.ready, &totals_.held, &totals_.failed};
  *totals[static_cast<std::size_t>(state)] += static_cast<std::size_t>(change);
}

void Index::set_state(Entry& entry, MessageState state) {
  count(entry.state, -1);
  entry.state = state;
  count(entry.state, +1);
}

// --- the heap of times ---

void Index::set_time(Entry& entry, SteadyTime due) {
  entry.due = due;
  if (entry.heap_slot == 0) {
    heap_.push_back(&entry);
    entry.heap_slot = heap_.size();
  }
  sift(entry.heap_slot - 1);
}

void Index::clear_time(Entry& entry) {
  if (entry.heap_slot == 0) return;
  const std::size_t hole = entry.heap_slot - 1;
  entry.heap_slot = 0;
  Entry* const moved = heap_.back();
  heap_.pop_back();
  if (moved == &entry) return;
  place(hole, moved);
  sift(hole);
}

void Index::place(std::size_t index, Entry* entry) {
  heap_[index] = entry;
  entry->heap_slot = index + 1;
}

// Moves the entry at `index` up or down to where it belongs.
void Index::sift(std::size_t index) {
  const auto earlier = [](const Entry* a, const Entry* b) {
    return std::tie(a->due, a->id) < std::tie(b->due, b->id);
  };
  Entry* const entry = heap_[index];
  while (index > 0 && earlier(entry, heap_[(index - 1) / 2])) {
    place(index, heap_[(index - 1) / 2]);
    index = (index - 1) / 2;
  }
  for (;;) {
    std::size_t child = 2 * index + 1;
    if (child + 1 < heap_.size() && earlier(heap_[child + 1], heap_[child])) ++child;
    if (child >= heap_.size() || !earlier(heap_[child], entry)) break;
    place(index, heap_[child]);
    index = child;
  }
  place(index, entry);
}

}  // namespace relayd::queue
