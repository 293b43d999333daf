#include "queue/upkeep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace relayd::queue {
namespace {

using namespace std::chrono_literals;

constexpr auto pause_without_room = 1s;
constexpr auto idle = 5s;  // nothing was taken for so long: files that are free are of use to others
constexpr auto pause_after_failure = 1min;

// Files for messages.
constexpr std::uint64_t taken_per_file = 4;  // a file has this part of what was taken since the start
constexpr std::size_t free_files = 2;        // one to be filled next, one for what has to move
constexpr std::size_t most_free_files = 4;

// Files of the state log.
constexpr std::uint64_t state_files = 8;        // so many of them hold what is needed
constexpr std::uint64_t recorded_per_file = 8;  // a file has this part of what was recorded since the start
constexpr std::uint64_t usual_state_file = 1 << 20;  // at most: a sync for its header is nothing then
constexpr std::uint64_t spare_state_files = 2;
constexpr std::uint64_t margin_state_files =
    3;  // one is written, one holds what cannot go yet, one is for progress

// Index::state_need() counts for each message two summaries, the old one and the new, and one attempt: doubt
// and an outcome without texts. Each is at most a third of it.
constexpr std::uint64_t need_parts = 3;
constexpr std::uint64_t open_parts = 2;  // a summary and an attempt

// What a start has to read of the message log is bounded by these.
constexpr std::size_t most_without_summary = 100'000;
constexpr std::uint64_t most_taken = 4;  // files of the largest size

constexpr std::size_t summaries_at_once = 2000;
constexpr unsigned most_without_gain =
    2;  // checkpoints in a row: the first that renews summaries frees nothing

}  // namespace

Upkeep::Upkeep(Store& store)
    : store_(store), summaries_(store), mover_(store, summaries_), timer_(store.loop) {}

void Upkeep::begin(Replay& replay) {
  scan_from_ = std::move(replay.scanned_from);
  last_intake_ = replay.last_intake_sequence;
  torn_ = std::move(replay.torn);
  unknown_ = std::move(replay.unknown);
  states_from_ = known_from_ = replay.states_from;
  migrating_ = replay.migrating;
  taken_at_ = store_.loop.now();
  recorded_ = store_.states.capacity();  // a hundred starts leave no more than one
  summaries_.inherit(std::move(replay.inherited));
}

void Upkeep::taken(std::uint64_t octets) {
  taken_ += octets;
  taken_at_ = store_.loop.now();
}

void Upkeep::tend() {
  prepare();
  arm();
  if (working_) return;
  if (!migrating_ && dead().empty() && !wants_checkpoint() && !wants_to_move()) return;
  working_ = true;
  scope_.spawn(work());
}

// --- room ---

std::uint64_t Upkeep::state_file() const {
  const std::uint64_t wanted = store_.index.state_need() / state_files;
  return std::min(std::max(wanted, Ground::smallest_state_file), store_.ground.largest());
}

// What is not written to yet. Of a file that is larger than one would be made now no more counts than of such
// a one: old records in the file that is written cannot go.
std::uint64_t Upkeep::state_room() const {
  const std::uint64_t file = state_file();
  return store_.ground.free_capacity(Ground::Log::state, file) + std::min(store_.state_rest, file);
}

// What must be there, what is made ahead of that, and what is more than can be of use. A message that has a
// summary needs a third less: that one is written.
std::uint64_t Upkeep::state_room_needed() const {
  const Index& index = store_.index;
  return index.state_need() - index.based_need() / need_parts + reserved_ + margin_state_files * state_file();
}
std::uint64_t Upkeep::state_room_wanted() const {
  return state_room_needed() + store_.index.state_need() / 4 + spare_state_files * state_file();
}
std::uint64_t Upkeep::state_room_too_much() const {
  return 2 * (state_room_wanted() + spare_state_files * state_file());
}
std::uint64_t Upkeep::room_for_what_is_open() const {
  return store_.index.state_need() / need_parts * open_parts;
}

bool Upkeep::is_short_of_room() const {
  return state_room() < room_for_what_is_open() + store_.facts->octets_in_line();
}

async::Task<void> Upkeep::wait_for_room() {
  while (is_short_of_room()) {
    tend();
    if (!making_ && !working_) break;
    async::Event something;
    waiting_.push_back(&something);
    co_await something;
  }
}

void Upkeep::wake() {
  for (async::Event* const waiter : std::exchange(waiting_, {})) waiter->set();
}

// For the first of what is put off.
void Upkeep::arm() {
  const SteadyTime now = store_.loop.now();
  const bool has_spare_files =
      store_.ground.free_count(Ground::Log::messages) > free_files || has_large_files();
  const SteadyTime never = SteadyTime::max();
  const SteadyTime next =
      std::min({no_room_until_ > now ? no_room_until_ : never, no_move_until_ > now ? no_move_until_ : never,
                has_spare_files && taken_at_ + idle > now ? taken_at_ + idle : never});
  if (next == never || (timer_.armed() && timer_at_ <= next)) return;
  timer_at_ = next;
  timer_.at(next, [this] { tend(); });
}

async::Task<void> Upkeep::wait_for_reserved_room() {
  while (!has_reserved_room()) {
    tend();
    if (!making_)
      throw QueueError(QueueError::Kind::full, "there is no room to record what becomes of more mail");
    async::Event something;
    waiting_.push_back(&something);
    co_await something;
  }
}

void Upkeep::prepare() {
  if (making_) changed_meanwhile_ = true;
  if (making_ || store_.loop.now() < no_room_until_) return;
  const std::uint64_t state = state_room();
  const std::size_t free = store_.ground.free_count(Ground::Log::messages);
  const bool is_idle = store_.loop.now() >= taken_at_ + idle;
  const bool too_much = free > (is_idle ? free_files : most_free_files) || state > state_room_too_much() ||
                        (is_idle && has_large_files());
  const bool has_all = state >= state_room_wanted() && free >= free_files;
  if (has_all) disk_is_full_ = false;
  if (has_all && !too_much) return;
  making_ = true;
  scope_.spawn(make_room());
}

async::Task<void> Upkeep::make_room() {
  Ground& ground = store_.ground;
  try {
    while (state_room() < state_room_wanted()) {
      const std::uint64_t usual = std::min(recorded_ / recorded_per_file, usual_state_file);
      const std::uint64_t size = store_.ground.fitting(std::max(state_file(), usual));
      co_await store_.keeper.run([&ground, size] { ground.make(Ground::Log::state, size); });
    }
    wake();
    const std::uint64_t taken = taken_ / taken_per_file;
    const std::uint64_t size = ground.fitting(std::max(taken, Ground::smallest_message_file));
    while (ground.free_count(Ground::Log::messages) < free_files)
      co_await store_.keeper.run([&ground, size] { ground.make(Ground::Log::messages, size); });
    disk_is_full_ = false;
  } catch (const disk::DiskError&) {
    // Intake says so when it matters. What is there is enough for what was taken.
    no_room_until_ = store_.loop.now() + pause_without_room;
    disk_is_full_ = true;
  }
  co_await give_room_back();
  making_ = false;
  if (std::exchange(changed_meanwhile_, false)) prepare();
  arm();
  wake();
}

async::Task<void> Upkeep::give_room_back() {
  Ground& ground = store_.ground;
  if (ground.free_count(Ground::Log::messages) > free_files)
    co_await store_.keeper.run([&ground] { ground.trim(Ground::Log::messages, free_files); });
  const std::uint64_t there = state_room();
  if (there > state_room_too_much()) {
    const std::uint64_t surplus = there - state_room_too_much() / 2;
    const std::uint64_t file = state_file();
    co_await store_.keeper.run(
        [&ground, surplus, file] { ground.trim_octets(Ground::Log::state, surplus, file); });
  }
  if (store_.loop.now() >= taken_at_ + idle && has_large_files()) co_await replace_large_files();
}

// Each free file, the one that came back first, is replaced by one of today's size. While there is enough
// without it, it goes first: on a full disk nothing can be made before that.
async::Task<void> Upkeep::replace_large_files() {
  Ground& ground = store_.ground;
  try {
    for (std::size_t left = ground.free_count(Ground::Log::state); left > 0 && has_large_files(); --left) {
      if (store_.loop.now() < taken_at_ + idle) co_return;
      const std::uint64_t file = state_file();
      const bool can_go = state_room() >= state_room_wanted() + file;
      co_await store_.keeper.run([&ground, file, can_go] {
        const std::size_t count = ground.free_count(Ground::Log::state);
        if (can_go) ground.trim(Ground::Log::state, count - 1);
        ground.make(Ground::Log::state, file);
        ground.trim(Ground::Log::state, count);
      });
    }
  } catch (const disk::DiskError&) {
    no_room_until_ = store_.loop.now() + pause_without_room;
  }
}

// Free files have more than twice what would be too much: they are of a time when more was waiting.
bool Upkeep::has_large_files() const {
  return store_.ground.free_capacity(Ground::Log::state) > 2 * state_room_too_much();
}

// --- work ---

async::Task<void> Upkeep::work() {
  for (;;) {
    std::vector<std::uint64_t> segments = dead();
    if (migrating_) {
      co_await take_checkpoint();
      migrating_ = false;
    } else if (!segments.empty()) {
      co_await retire(std::move(segments));
    } else if (wants_checkpoint()) {
      co_await take_checkpoint();
    } else if (wants_to_move()) {
      co_await move();
    } else {
      break;
    }
    wake();
  }
  working_ = false;
  arm();
  wake();
  prepare();
}

bool Upkeep::is_being_written(std::uint64_t sequence) const {
  if (sequence == mover_.target()) return true;
  if (sequence == store_.intake_end.segment) return store_.intake_open;
  const auto segment = store_.messages.find(sequence);
  return segment && segment->header.kind == SegmentKind::intake && sequence > store_.intake_end.segment;
}

std::vector<std::uint64_t> Upkeep::dead() const {
  std::vector<std::uint64_t> found;
  for (const auto& [sequence, use] : store_.index.segments())
    if (use.count == 0 && use.leaving == 0 && !is_being_written(sequence) && !retiring_.contains(sequence))
      found.push_back(sequence);
  return found;
}

// Their files may be used again once that is on disk: a start must not look for messages there.
async::Task<void> Upkeep::retire(std::vector<std::uint64_t> sequences) {
  retiring_.insert(sequences.begin(), sequences.end());
  std::vector<RetiredRow> rows;
  for (const std::uint64_t sequence : sequences) {
    RetiredRow& row = rows.emplace_back();
    row.sequence = sequence;
    const auto segment = store_.messages.find(sequence);
    if (!segment) continue;
    row.previous = segment->header.previous;
    row.previous_end = segment->header.previous_end;
    row.previous_is_torn = segment->header.previous_is_torn;
    row.kind = static_cast<std::uint32_t>(segment->header.kind);
  }
  std::string record = encode_retired(rows);
  co_await submit(std::move(record));
  for (const std::uint64_t sequence : sequences) {
    if (const auto segment = store_.messages.find(sequence))
      store_.ground.give_back(Ground::Log::messages, *segment);
    store_.messages.remove(sequence);
    store_.index.forget(sequence);
    scan_from_.erase(sequence);
    torn_.erase(sequence);
    retiring_.erase(sequence);
  }
  prepare();
}

async::Task<void> Upkeep::submit(std::string record) {
  async::Slot<Position> durable;
  Submission submission;
  submission.bytes = std::move(record);
  submission.waiter = &durable;
  submission.is_upkeep = true;
  store_.facts->submit(std::move(submission));
  co_await durable;
}

// --- checkpoints ---

bool Upkeep::wants_checkpoint() const {
  if (store_.index.size() - store_.index.based() - store_.index.doomed() > most_without_summary) return true;
  if (taken_ - taken_before_ > most_taken * store_.ground.largest()) return true;
  const std::uint64_t recorded = recorded_ - recorded_before_;
  if (is_log_large() &&
      (recorded >= std::max(2 * state_file(), store_.states.capacity() / 4) || frees_more_than_it_writes()))
    return true;
  if (state_room() >= state_room_needed()) return false;
  // Unless something was recorded since the last one, or more can go now than that one let go of, nothing
  // comes of it.
  const std::uint64_t first = store_.states.first();
  const bool left_some = first < floor_;
  const bool went_on = first < store_.state_end.segment && store_.state_end.segment > ended_in_;
  return recorded >= state_file() / 4 || (is_short_of_room() && (left_some || went_on));
}

// Larger than what lives needs.
bool Upkeep::is_log_large() const {
  return store_.states.capacity() > store_.index.state_need() + state_file();
}

// More than twice what a checkpoint would write may go.
bool Upkeep::frees_more_than_it_writes() const {
  if (without_gain_ >= most_without_gain) return false;
  const std::uint64_t written = store_.index.size() * summaries_.mean_size();
  return store_.states.first() < floor_ && store_.states.capacity_before(floor_) > 2 * written;
}

// Two checkpoints have to know of a message before the records about it go: then a start that finds the newer
// one damaged has all that the older one needs. Where room is short, one has to do. Nothing goes while the
// log is not large and there is room: then only messages without a summary get one.
async::Task<void> Upkeep::take_checkpoint() {
  const std::uint64_t floor = store_.state_end.segment;
  const bool short_of_room = is_short_of_room();
  // Old summaries are written anew, so that what is older can go.
  const bool renews = is_log_large() || state_room() < state_room_needed();
  std::map<std::uint64_t, std::uint32_t> covered;
  for (const auto& [sequence, use] : store_.index.segments())
    if (const auto segment = store_.messages.find(sequence))
      covered[sequence] = start_of(segment->header) + static_cast<std::uint32_t>(use.bytes);
  taken_before_ = taken_;
  if (renews) {
    if (recorded_ != recorded_before_) {
      without_gain_ = 0;
      least_capacity_ = store_.states.capacity();
    }
    recorded_before_ = recorded_;
  }

  const auto states = store_.states.all();
  const std::uint64_t middle = states.empty() ? floor : states[states.size() / 2]->header.sequence;
  const std::uint64_t before = !renews ? 0 : short_of_room ? floor : std::min(floor, middle);
  carry_along();
  co_await summarise(before, covered);
  scan_from_ = std::move(covered);
  states_from_ = std::max(states_from_, short_of_room ? before : std::min(before, known_from_));
  known_from_ = std::max(before, states_from_);
  std::string record = encode_checkpoint(checkpoint(store_.intake_end, false));
  co_await submit(std::move(record));
  free_states_before(states_from_);
  floor_ = floor;
  ended_in_ = store_.state_end.segment;
  const std::uint64_t capacity = store_.states.capacity();
  if (renews) without_gain_ = capacity < least_capacity_ ? 0 : without_gain_ + 1;
  least_capacity_ = std::min(least_capacity_, capacity);
}

// What a later version recorded, and this one cannot read.
void Upkeep::carry_along() {
  std::erase_if(unknown_, [this](const auto& record) {
    return record.first.value != 0 && !store_.index.find(record.first);
  });
  for (const auto& [id, bytes] : unknown_) {
    Submission fact;
    fact.bytes = bytes;
    fact.is_upkeep = true;
    store_.facts->submit(std::move(fact));
  }
}

// Of messages that have no summary, or one in a segment of the state log before that.
async::Task<void> Upkeep::summarise(std::uint64_t before,
                                    const std::map<std::uint64_t, std::uint32_t>& covered) {
  const auto wanted = [&](const Entry& entry) {
    if (entry.doomed) return false;
    if (entry.base != 0) return entry.base < before;
    const auto known = covered.find(entry.where.segment);
    return known != covered.end() && entry.where.offset < known->second;
  };
  bool found = true;
  while (found) {
    found = false;
    Walk walk;
    bool more = true;
    std::vector<MessageId> ids;
    while (more) {
      more = store_.index.go_on(walk, [&](const Entry& entry) {
        if (wanted(entry)) ids.push_back(entry.id());
      });
      if (ids.size() >= summaries_at_once || (!more && !ids.empty())) {
        found = true;
        co_await summaries_.write(std::exchange(ids, {}), is_brief());
      } else if (more) {
        co_await async::sleep_until(store_.loop, store_.loop.now());
      }
    }
  }
}

void Upkeep::free_states_before(std::uint64_t sequence) {
  for (const std::shared_ptr<const Segment>& segment : store_.states.all()) {
    if (segment->header.sequence >= sequence) break;
    store_.states.remove(segment->header.sequence);
    store_.ground.give_back(Ground::Log::state, *segment);
  }
}

Checkpoint Upkeep::checkpoint(Position end, bool all_known) const {
  Checkpoint checkpoint;
  checkpoint.last_id = store_.last_id;
  checkpoint.last_intake = std::max(last_intake_, end.segment);
  checkpoint.states_from = states_from_;
  checkpoint.last_segment = store_.last_message_sequence;
  const bool covered = all_known && store_.index.based() == store_.index.size();
  bool has_end = end.segment == 0;
  for (const auto& [sequence, use] : store_.index.segments()) {
    const auto segment = store_.messages.find(sequence);
    if (!segment || retiring_.contains(sequence)) continue;
    SegmentRow& row = checkpoint.segments.emplace_back();
    row.sequence = sequence;
    row.count = use.based;
    row.is_torn = torn_.contains(sequence);
    row.ids = use.based_ids;
    row.end = start_of(segment->header) + static_cast<std::uint32_t>(use.bytes);
    if (sequence == end.segment) {
      has_end = true;
      row.end = std::max(row.end, end.offset);
    }
    const auto from = scan_from_.find(sequence);
    const bool is_scanned = !covered && segment->header.kind == SegmentKind::intake;
    row.scan_from = !is_scanned ? row.end : from != scan_from_.end() ? from->second : segment_start;
  }
  // One that was retired meanwhile has no row: it is dead.
  if (!has_end && store_.messages.find(end.segment) && !retiring_.contains(end.segment))
    checkpoint.segments.push_back({end.segment, covered ? end.offset : segment_start, end.offset, 0, 0});
  return checkpoint;
}

// --- moving ---

bool Upkeep::wants_to_move() const {
  return !is_short_of_room() && store_.loop.now() >= no_move_until_ && mover_.choose() != 0;
}

async::Task<void> Upkeep::move() {
  const std::uint64_t sequence = mover_.choose();
  try {
    co_await mover_.empty(sequence, is_brief(), [this] { return is_short_of_room(); });
  } catch (const disk::DiskError& error) {
    no_move_until_ = store_.loop.now() + pause_after_failure;
    store_.alarm.say(fmt::format("old messages cannot be moved together for now: {}", error.what()));
  }
}

}  // namespace relayd::queue
