#include "queue/implementation.hpp"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "queue/replay.hpp"

namespace relayd::queue {
namespace {

constexpr std::size_t handed_out_at_once = 256;  // then others have a turn on the loop

// Rewriting starts when more than half of the journal is dead, and goes in steps that delay a commit only by
// as much as another client's batch would.
constexpr std::size_t few_segments = 4;
constexpr std::size_t rewrite_count = 32;
constexpr std::uint64_t rewrite_bytes = 1 << 20;
constexpr auto rewrite_pause = std::chrono::minutes(1);  // after a failure

// Messages from which on their memory is worth giving back: some ten MiB.
constexpr std::size_t many_messages = 50'000;

constexpr Bytes smallest_segment = 16_KiB;
constexpr Bytes largest_segment = 1_GiB;  // offsets have 32 bits

Options checked(Options options) {
  options.segment_size = std::clamp(options.segment_size, smallest_segment, largest_segment);
  return options;
}

}  // namespace

Queue::Implementation::Implementation(async::Loop& event_loop, async::Workers& helpers,
                                      disk::Disk& queue_disk, Options wanted)
    : loop(event_loop),
      workers(helpers),
      disk(queue_disk),
      options(checked(std::move(wanted))),
      timer_(event_loop) {}

Recovery Queue::Implementation::open() {
  const auto begun = std::chrono::steady_clock::now();
  if (!disk.hold(options.directory))
    throw QueueError(QueueError::Kind::locked,
                     fmt::format("{} is in use by another process", options.directory));
  for (const char* name : {"journal", "large", "quarantine"}) disk.make_directory(name);
  disk.sync_directory(".");
  Replay replay(disk, index, segments, options.keep_failed, clock());
  JournalStart start = replay.run();
  journal = std::make_unique<Journal>(loop, disk, options, segments, std::move(start),
                                      [this](Report& report) { take(report); });
  last_id_ = replay.last_id();

  Recovery recovery;
  recovery.messages = index.size();
  recovery.in_doubt = found_in_doubt = replay.in_doubt();
  recovery.segments = replay.segments();
  recovery.read = replay.read();
  recovery.set_aside = std::move(replay).set_aside();
  recovery.persistent = disk.persistent();
  tidy();
  arm();
  recovery.took = std::chrono::steady_clock::now() - begun;
  return recovery;
}

MessageId Queue::Implementation::next_id() {
  const auto now = static_cast<std::uint64_t>(loop.wall_now().time_since_epoch().count());
  last_id_.value = std::max(now, last_id_.value + 1);
  return last_id_;
}

// --- times ---

void Queue::Implementation::arm() {
  const Entry* const next = index.next();
  if (!next) return timer_.cancel();
  if (timer_.armed() && armed_for_ <= next->due) return;
  armed_for_ = next->due;
  timer_.at(next->due, [this] { hand_out(); });
}

void Queue::Implementation::hand_out() {
  for (std::size_t i = 0; i < handed_out_at_once; ++i) {
    Entry* const next = index.next();
    if (!next || next->due > loop.now()) break;
    if (next->state == MessageState::failed) {
      remove(*next);
      continue;
    }
    if (!on_due) return;
    index.set_timeless(*next, MessageState::ready);
    on_due(*next);
  }
  arm();
}

// --- records ---

void Queue::Implementation::submit_event(RecordType type, const Entry& entry) {
  Submission fact;
  fact.id = entry.id;
  fact.bytes = encode_event(type, entry.id, entry.last, loop.wall_now());
  journal->submit(std::move(fact));
}

void Queue::Implementation::erase(Entry& entry, Submission fact) {
  if (entry.by_reference) fact.unlink = "large/" + to_string(entry.id);
  index.erase(entry);
  journal->submit(std::move(fact));
  tidy();
}

void Queue::Implementation::remove(Entry& entry) {
  if (entry.state == MessageState::ready) {
    if (!std::exchange(entry.doomed, true)) submit_event(RecordType::removed, entry);
    return;
  }
  Submission fact;
  fact.id = entry.id;
  fact.bytes = encode_event(RecordType::removed, entry.id, entry.last, loop.wall_now());
  erase(entry, std::move(fact));
}

void Queue::Implementation::hold(Entry& entry) {
  if (entry.state == MessageState::failed || entry.state == MessageState::held || entry.hold_asked) return;
  submit_event(RecordType::hold, entry);
  if (entry.state == MessageState::ready)
    entry.hold_asked = true;
  else
    index.set_timeless(entry, MessageState::held);
}

void Queue::Implementation::take(Report& report) {
  for (const std::string& text : report.troubles) alarm.say_cause(text);
  for (Submission& submission : report.done) {
    if (!submission.failure && !submission.bytes.empty()) written(submission.where, submission.bytes.size());
    if (submission.order) {
      rewritten(submission);
    } else if (submission.kind == Submission::Kind::fact && !submission.bytes.empty()) {
      if (Entry* entry = index.find(submission.id)) entry->last = submission.where;
    }
    if (submission.kind == Submission::Kind::message) buffers.give_back(std::move(submission.bytes));
    if (!submission.waiter) continue;
    if (submission.failure)
      submission.waiter->fail(std::make_exception_ptr(*submission.failure));
    else
      submission.waiter->put(submission.where);
  }
  tidy();
  shrink();
  arm();
}

// The allocator keeps what a great many messages needed. Once most of them have gone, and their outcomes are
// on disk, others may have it.
void Queue::Implementation::shrink() {
  most_messages_ = std::max(most_messages_, index.size());
  if (most_messages_ < many_messages || index.size() + journal->in_line() > most_messages_ / 8) return;
  most_messages_ = index.size();
  index.shrink();
  malloc_trim(0);
}

void Queue::Implementation::written(Position where, std::size_t bytes) {
  if (!index.segments().contains(where.segment)) index.written(where.segment, segment_start);
  index.written(where.segment, bytes);
}

// --- retirement ---

void Queue::Implementation::tidy() {
  const std::uint64_t oldest = index.drop_dead_segments();
  if (oldest > retired_below_) {
    retired_below_ = oldest;
    Submission retirement;
    retirement.retire_below = oldest;
    journal->submit(std::move(retirement));
  }
  compact();
}

// Rewrites some living messages of the oldest segment at the head of the journal. They follow in the line of
// submissions, so whatever happens to them later stands behind their new record.
void Queue::Implementation::compact() {
  if (rewriting_ > 0 || index.segments().size() <= few_segments) return;
  if (index.living_bytes() * 2 >= index.bytes() || loop.now() < compact_after_) return;
  const Clock now = clock();
  std::uint64_t bytes = 0;
  for (const Entry* entry = index.segments().begin()->second.first; entry; entry = entry->segment_next) {
    if (rewriting_ == rewrite_count || bytes >= rewrite_bytes) break;
    auto order = std::make_unique<RewriteOrder>();
    order->source = entry->where;
    order->length = entry->length;
    order->last = entry->last;
    order->attempts = entry->attempts;
    order->doubted = entry->doubted;
    order->held = entry->hold_asked || entry->state == MessageState::held;
    order->states = entry->states.unpacked();
    order->now = now.wall;
    order->next_attempt = now.wall + std::chrono::duration_cast<WallTime::duration>(
                                         std::max(entry->due - now.now, Duration::zero()));
    Submission submission;
    submission.kind = Submission::Kind::rewrite;
    submission.id = entry->id;
    submission.order = std::move(order);
    journal->submit(std::move(submission));
    ++rewriting_;
    bytes += entry->length;
  }
}

void Queue::Implementation::rewritten(Submission& submission) {
  --rewriting_;
  Entry* const entry = index.find(submission.id);
  if (!entry || entry->where != submission.order->source) return;
  if (!submission.failure) {
    index.move(*entry, submission.where, static_cast<std::uint32_t>(submission.bytes.size()));
    if (entry->last == submission.order->last) entry->last = {};  // the new record tells it all
  } else if (submission.failure->kind() == QueueError::Kind::broken) {
    alarm.say(
        fmt::format("{}: its record is damaged; what is left of it is in quarantine", to_string(entry->id)));
    remove(*entry);
  } else {
    compact_after_ = loop.now() + rewrite_pause;
    alarm.say(
        fmt::format("{}: cannot be written again: {}", to_string(entry->id), submission.failure->what()));
  }
}

}  // namespace relayd::queue
