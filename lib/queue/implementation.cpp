#include "queue/implementation.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "queue/draft.hpp"

namespace relayd::queue {
namespace {

constexpr std::size_t handed_out_at_once = 256;  // then others have a turn on the loop
constexpr std::size_t most_in_line = 4096;       // records that wait to be written: no more is begun above it
constexpr auto look_again = std::chrono::milliseconds(10);
constexpr auto wait_for_report = std::chrono::minutes(1);  // of a message that was kept long enough

// Messages from which on their memory is worth giving back: some ten MiB.
constexpr std::size_t many_messages = 50'000;

constexpr Bytes smallest_segment = 16_KiB;
constexpr Bytes largest_segment = 1_GiB;  // offsets have 32 bits

constexpr std::size_t largest_sector = 4096;

constexpr std::size_t fewest_state_files = 2;  // one is written while the other is let go of

// Room for what becomes of a message that is not in the index yet.
class RoomClaim {
 public:
  RoomClaim(Upkeep& upkeep, std::uint64_t octets) : upkeep_(upkeep), octets_(octets) {
    upkeep_.reserve_room(octets_);
  }
  ~RoomClaim() { upkeep_.release_room(octets_); }
  RoomClaim(const RoomClaim&) = delete;
  RoomClaim& operator=(const RoomClaim&) = delete;

 private:
  Upkeep& upkeep_;
  const std::uint64_t octets_;
};

Options checked(Options options) {
  options.segment_size = std::clamp(options.segment_size, smallest_segment, largest_segment);
  return options;
}

}  // namespace

Queue::Implementation::Implementation(async::Loop& event_loop, async::Workers& helpers,
                                      disk::Disk& queue_disk, Options wanted)
    : loop(event_loop),
      workers(helpers),
      options(checked(std::move(wanted))),
      store(event_loop, queue_disk, options, alarm),
      timer_(event_loop) {}

// The `closed` records prove the checkpoint, so damage at the end of the log does not hide it.
Queue::Implementation::~Implementation() {
  store.keeper.stop();
  if (!store.journal) return;
  const bool all_known = store.journal->in_line() == 0;
  store.journal->close({});
  std::vector<std::string> last;
  const Checkpoint checkpoint = upkeep_->checkpoint(store.journal->end(), all_known);
  if (!upkeep_->is_migrating()) last.push_back(encode_checkpoint(checkpoint));
  if (!last.empty() && store.journal->goes_on()) {
    // The last one has a sector for itself: when another is lost, it proves that there was something.
    last.push_back(encode_closed(largest_sector));
    last.push_back(encode_closed());
  }
  store.facts->close(std::move(last));
}

void Queue::Implementation::load(const std::function<void(const Progress&)>& progress) {
  load_began_ = std::chrono::steady_clock::now();
  if (!store.disk.hold(options.directory))
    throw QueueError(QueueError::Kind::locked,
                     fmt::format("{} is in use by another process", options.directory));
  const std::vector<std::string> there = store.disk.list(".");
  for (const char* name : {"journal", "state", "large", "quarantine"})
    if (std::find(there.begin(), there.end(), name) == there.end()) store.disk.make_directory(name);
  store.disk.sync_directory(".");
  replay_ = std::make_unique<Replay>(
      Replay::Parts{store.disk, store.ground, store.index, store.messages, store.states}, options.keep_failed,
      clock(), progress);
  replay_->run();
  try {
    const auto has_to_end = [](const JournalStart& start) { return start.torn || start.hidden; };
    if (replay_->migrating || has_to_end(replay_->messages_start))
      replay_->begin_segment(Ground::Log::messages);
    if (has_to_end(replay_->states_start)) replay_->begin_segment(Ground::Log::state);
    if (!replay_->messages_start.current && store.ground.free_count(Ground::Log::messages) == 0)
      store.ground.make(Ground::Log::messages, store.ground.fitting(Ground::smallest_message_file));
    while (store.states.size() + store.ground.free_count(Ground::Log::state) < fewest_state_files)
      store.ground.make(Ground::Log::state, store.ground.fitting(Ground::smallest_state_file));
  } catch (const disk::DiskError&) {
    // What waits can be sent all the same. Mail that comes is refused until there is room.
  }
}

Recovery Queue::Implementation::begin() {
  const Replay& replay = *replay_;
  store.last_message_sequence = replay.last_message_sequence;
  store.last_state_sequence = replay.last_state_sequence;
  store.intake_end = replay.messages_start.end;
  store.intake_open = replay.messages_start.current != nullptr;
  store.state_end = replay.states_start.end;
  if (const auto& open = replay.states_start.current)
    store.state_rest = open->capacity - std::min<std::uint64_t>(open->capacity, store.state_end.offset);
  store.journal = std::make_unique<Journal>(Journal::Log::messages, loop, store.ground, store.messages,
                                            store.last_message_sequence, replay.messages_start,
                                            [this](Report& report) { take_messages(report); });
  store.facts = std::make_unique<Journal>(Journal::Log::facts, loop, store.ground, store.states,
                                          store.last_state_sequence, replay.states_start,
                                          [this](Report& report) { take_facts(report); });
  upkeep_ = std::make_unique<Upkeep>(store);
  upkeep_->begin(*replay_);
  store.last_id = replay.last_id;

  Recovery recovery;
  recovery.messages = store.index.size();
  recovery.in_doubt = std::move(replay_->in_doubt);
  found_in_doubt = recovery.in_doubt.size();
  recovery.segments = replay.segments;
  recovery.read = {replay.read};
  recovery.set_aside = std::move(replay_->set_aside);
  recovery.persistent = store.disk.persistent();
  recovery.took = std::chrono::steady_clock::now() - load_began_;
  // Reports of whose writing nothing was recorded yet.
  for (const auto& [report, about] : std::exchange(replay_->reports, {})) {
    const Result<MessageId> id = parse_message_id(about.message);
    Entry* const entry = id ? store.index.find(*id) : nullptr;
    Told what{{.recipients = about.recipients, .expanded = about.expanded}, about.delay, to_string(report)};
    if (about.delay != 0) what.what = {};  // it told that they wait, and not that they came to an end
    if (entry && store.index.is_news(*entry, what, report)) told(*entry, what);
  }
  replay_.reset();
  upkeep_->tend();
  arm();
  return recovery;
}

MessageId Queue::Implementation::next_id() {
  const auto now = static_cast<std::uint64_t>(loop.wall_now().time_since_epoch().count());
  store.last_id.value = std::max(now, store.last_id.value + 1);
  return store.last_id;
}

// --- times ---

void Queue::Implementation::arm() {
  const Shipment* const next = store.index.next();
  if (!next) return timer_.cancel();
  if (timer_.armed() && armed_for_ <= next->due) return;
  armed_for_ = next->due;
  timer_.at(next->due, [this] { hand_out(); });
}

// Nothing new is begun while what was begun waits for the disk, or room in the state log is short.
void Queue::Implementation::hand_out() {
  for (std::size_t i = 0; i < handed_out_at_once; ++i) {
    Shipment* const next = store.index.next();
    if (!next || next->due > loop.now()) break;
    const bool goes = next->state == MessageState::failed;  // which makes room
    if (goes ? store.facts->in_line() >= most_in_line : !may_begin()) {
      armed_for_ = loop.now() + look_again;
      return timer_.at(armed_for_, [this] { hand_out(); });
    }
    if (goes && store.index.debt(next->id.message())) {
      store.index.set_failed(entry_of(*next), loop.now() + wait_for_report);
      continue;
    }
    if (goes) {
      remove(entry_of(*next));
      continue;
    }
    if (!on_due) return;
    make_ready(*next);
    on_due(*next);
  }
  arm();
}

void Queue::Implementation::make_ready(Shipment& shipment) {
  store.index.set_timeless(shipment, MessageState::ready);
  shipment.counted = shipment.whole = false;
}

bool Queue::Implementation::may_begin() const {
  return store.facts->in_line() < most_in_line && !upkeep_->is_short_of_room();
}

// --- records ---

void Queue::Implementation::record(Entry& entry, std::string bytes) {
  Submission fact;
  fact.bytes = std::move(bytes);
  store.record(entry, std::move(fact));
}

void Queue::Implementation::record_event(RecordType type, Entry& entry,
                                         const std::vector<std::uint32_t>& recipients) {
  record(entry, encode_event(type, entry.id(), entry.last, loop.wall_now(), recipients));
}

void Queue::Implementation::erase(Entry& entry, std::string last_record) {
  Submission fact;
  fact.id = entry.id();
  fact.bytes = std::move(last_record);
  fact.previous = entry.last;
  fact.releases = entry.where.segment;
  fact.unlinks = entry.by_reference;
  store.index.leaving(entry.where.segment);
  store.index.erase(entry);
  store.facts->submit(std::move(fact));
}

void Queue::Implementation::erase_doomed(Entry& entry) {
  erase(entry, encode_event(RecordType::removed, entry.id(), entry.last, loop.wall_now()));
}

void Queue::Implementation::remove(Entry& entry) {
  if (entry.state != MessageState::ready) return erase_doomed(entry);
  if (entry.doomed) return;
  record_event(RecordType::removed, entry);
  store.index.doom(entry);
}

void Queue::Implementation::give_back(Shipment& shipment, SteadyTime when) {
  if (take_back_doomed(shipment)) return;
  store.index.leave_in_doubt(shipment);
  store.index.set_waiting_or_held(shipment, when);
  arm();
}

bool Queue::Implementation::take_back_doomed(Shipment& shipment) {
  Entry& entry = entry_of(shipment);
  if (!entry.doomed) return false;
  store.index.set_timeless(shipment, MessageState::held);
  if (entry.state != MessageState::ready) erase_doomed(entry);
  return true;
}

void Queue::Implementation::hold(Entry& entry) {
  if (!Index::may_be_held(entry)) return;
  record_event(RecordType::hold, entry);
  store.index.hold(entry);
}

void Queue::Implementation::hold(Shipment& shipment) {
  Entry& entry = entry_of(shipment);
  if (!entry.parting) return hold(entry);
  if (shipment.state == MessageState::held || shipment.hold_asked) return;
  record_event(RecordType::hold, entry, entry.recipients_of(shipment));
  store.index.hold(shipment);
}

void Queue::Implementation::told(Entry& entry, const Told& told) {
  if (entry.doomed) return;
  const bool living = store.index.told(entry, told);
  std::string record = encode_told(entry.id(), entry.last, loop.wall_now(), told, !living);
  living ? this->record(entry, std::move(record)) : erase(entry, std::move(record));
}

bool Queue::Implementation::may_part(const Entry& entry) const {
  return Index::may_part(entry) && upkeep_->has_reserved_room();
}

// --- what was written ---

void Queue::Implementation::take_messages(Report& report) {
  for (const std::string& text : report.troubles) alarm.say_cause(text);
  for (Submission& submission : report.done) {
    if (!submission.failure) {
      store.index.written(submission.where.segment, submission.bytes.size());
      upkeep_->taken(submission.bytes.size());
    }
    buffers.give_back(std::move(submission.bytes));
    if (submission.failure)
      submission.waiter->fail(std::make_exception_ptr(*submission.failure));
    else
      submission.waiter->put(submission.where);
  }
  store.intake_end = report.end;
  store.intake_open = report.open;
  after_report();
}

void Queue::Implementation::take_facts(Report& report) {
  for (const std::string& text : report.troubles) alarm.say_cause(text);
  store.state_end = report.end;
  store.state_rest = report.rest;
  // All promises are kept before anybody is woken who may ask for them.
  for (const Submission& submission : report.done) {
    Entry* const entry = store.index.find(submission.id);
    if (!entry) continue;
    if (submission.is_summary) store.index.set_base(*entry, submission.where.segment);
    if (entry->last == promise(submission.number)) entry->last = submission.where;
  }
  for (Submission& submission : report.done) {
    if (!submission.is_summary && !submission.is_upkeep) upkeep_->recorded(submission.octets);
    if (submission.releases != 0) store.index.left(submission.releases);
    if (submission.unlinks) store.remove_large(submission.id);
    if (submission.waiter) submission.waiter->put(submission.where);
  }
  after_report();
}

void Queue::Implementation::after_report() {
  upkeep_->tend();
  shrink();
  arm();
}

// The allocator keeps what a great many messages needed. Once most of them have gone, and their outcomes are
// on disk, others may have it.
void Queue::Implementation::shrink() {
  most_messages_ = std::max(most_messages_, store.index.size());
  if (most_messages_ < many_messages) return;
  if (store.index.size() + store.facts->in_line() > most_messages_ / 8) return;
  most_messages_ = store.index.size();
  store.index.shrink();
  malloc_trim(0);
}

// --- accept ---

async::Task<MessageId> Queue::Implementation::commit(Draft::State& state, const Envelope& envelope,
                                                     bool held) {
  if (const std::optional<QueueError> refusal = store.journal->refusal()) throw *refusal;
  const RoomClaim room(*upkeep_,
                       Index::state_need(envelope.routing_sender.size(), envelope.recipients.size()));
  if (!upkeep_->has_reserved_room()) co_await upkeep_->wait_for_reserved_room();
  const MessageId id = co_await submit(state, envelope, held);
  co_return id;
}

async::Task<MessageId> Queue::Implementation::submit(Draft::State& state, const Envelope& envelope,
                                                     bool held) {
  if (state.file || state.buffered() > options.inline_limit.count)
    co_await workers.run([&state] { state.finish_large(); });
  MessageFacts facts = state.facts(loop.wall_now());
  facts.held = held;

  async::Slot<Position> durable;
  Submission submission;
  submission.id = state.id;
  submission.bytes = state.finish(facts, envelope);
  submission.waiter = &durable;
  const auto length = static_cast<std::uint32_t>(submission.bytes.size());
  store.journal->submit(std::move(submission));
  const Position where = co_await durable;
  state.keep_file();
  store.index.add(state.id, facts, envelope, where, length, clock());
  if (!envelope.expanded.empty() && on_debt) on_debt(state.id);
  arm();
  co_return state.id;
}

}  // namespace relayd::queue
