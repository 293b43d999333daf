#include "queue/index.hpp"

#include <algorithm>
#include <tuple>

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

Entry& Index::add(MessageId id, const StoredMessage& message, Position where, std::uint32_t length,
                  Clock clock) {
  if (Entry* old = find(id)) erase(*old);
  Entry& entry = entries_[id.value];
  entry.id = id;
  entry.size = message.size;
  entry.accepted = message.accepted;
  entry.routing_sender = intern(message.envelope.routing_sender);
  entry.by_reference = message.by_reference;
  entry.states = RecipientStates(static_cast<std::uint32_t>(message.envelope.recipients.size()));
  entry.pending = entry.states.size();
  entry.where = where;
  entry.length = length;
  link(entry);
  count(entry.state, +1);
  set_waiting(entry, clock.now);
  return entry;
}

Entry* Index::find(MessageId id) {
  const auto found = entries_.find(id.value);
  return found == entries_.end() ? nullptr : &found->second;
}

void Index::erase(Entry& entry) {
  clear_time(entry);
  count(entry.state, -1);
  unlink(entry);
  forget(entry.routing_sender);
  forget(entry.doubted);
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

bool Index::apply(Entry& entry, const Outcome& outcome, Duration keep_failed, Clock clock) {
  for (const RecipientOutcome& recipient : outcome.recipients)
    if (recipient.recipient < entry.states.size()) entry.states.set(recipient.recipient, recipient.state);
  entry.pending = entry.states.count(RecipientState::pending);
  set_doubt(entry, outcome.in_doubt ? std::string_view(outcome.upstream) : std::string_view());
  entry.route_step = 0;
  ++entry.attempts;
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

void Index::retry(Entry& entry, Clock clock) {
  const bool again = entry.state == MessageState::failed;
  for (std::uint32_t i = 0; again && i < entry.states.size(); ++i)
    if (entry.states.get(i) == RecipientState::failed) entry.states.set(i, RecipientState::pending);
  entry.pending = entry.states.count(RecipientState::pending);
  set_waiting(entry, clock.now);
}

void Index::set_doubt(Entry& entry, std::string_view upstream) {
  const std::string_view before = entry.doubted;
  entry.doubted = intern(upstream);
  entry.in_doubt = !upstream.empty();
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

bool Index::go_on(OldestSearch& search) const {
  constexpr std::size_t step = 4096;
  const std::size_t buckets = entries_.bucket_count();
  if (search.buckets != buckets) search = {buckets, 0, std::nullopt};
  const std::size_t end = std::min(buckets, search.next + step);
  for (; search.next < end; ++search.next) {
    for (auto place = entries_.begin(search.next); place != entries_.end(search.next); ++place) {
      const Entry& entry = place->second;
      const bool is_over = entry.state == MessageState::failed;
      if (!is_over && (!search.found || entry.id < *search.found)) search.found = entry.id;
    }
  }
  return search.next < buckets;
}

// --- segments ---

void Index::written(std::uint64_t segment, std::uint64_t bytes) {
  segments_[segment].bytes += bytes;
  bytes_ += bytes;
}

std::uint64_t Index::drop_dead_segments() {
  while (segments_.size() > 1 && !segments_.begin()->second.first) {
    bytes_ -= segments_.begin()->second.bytes;
    segments_.erase(segments_.begin());
  }
  return segments_.empty() ? 0 : segments_.begin()->first;
}

void Index::link(Entry& entry) {
  SegmentUse& use = segments_[entry.where.segment];
  entry.segment_previous = nullptr;
  entry.segment_next = use.first;
  if (use.first) use.first->segment_previous = &entry;
  use.first = &entry;
  use.living += entry.length;
  living_ += entry.length;
}

void Index::unlink(Entry& entry) {
  SegmentUse& use = segments_[entry.where.segment];
  (entry.segment_previous ? entry.segment_previous->segment_next : use.first) = entry.segment_next;
  if (entry.segment_next) entry.segment_next->segment_previous = entry.segment_previous;
  use.living -= entry.length;
  living_ -= entry.length;
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
