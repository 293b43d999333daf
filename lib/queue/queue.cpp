#include "queue/queue.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "queue/draft.hpp"
#include "queue/implementation.hpp"

namespace relayd::queue {
namespace {

constexpr auto reading_pause = std::chrono::seconds(10);

Entry& entry_of(Message& message) {
  return static_cast<Entry&>(message);  // the index makes no other
}

}  // namespace

Queue::Queue(async::Loop& loop, async::Workers& workers, disk::Disk& disk, Options options)
    : implementation_(std::make_unique<Implementation>(loop, workers, disk, std::move(options))) {}

Queue::~Queue() = default;

Recovery Queue::open() {
  try {
    return implementation_->open();
  } catch (const disk::DiskError& error) {
    throw QueueError(QueueError::Kind::broken, fmt::format("cannot open the queue {}: {}",
                                                           implementation_->options.directory, error.what()));
  }
}

void Queue::on_due(std::function<void(Message&)> callback) {
  implementation_->on_due = std::move(callback);
  implementation_->arm();
}

void Queue::on_trouble(std::function<void(const std::string&)> callback) {
  implementation_->on_trouble = std::move(callback);
}

// --- accept ---

Draft Queue::draft() {
  Implementation& q = *implementation_;
  return Draft(std::make_unique<Draft::State>(q.disk, *q.journal, q.workers, q.alarm, q.options,
                                              q.buffers.take(), q.next_id()));
}

async::Task<void> Draft::flush() {
  State& state = *state_;
  try {
    co_await state.workers.run([&state] { state.spill(); });
  } catch (const std::exception& error) {
    state.alarm.refuse(error);
  }
}

async::Task<MessageId> Queue::commit(Draft draft, Envelope envelope, bool held) {
  Implementation& q = *implementation_;
  try {
    const MessageId id = co_await q.commit(*draft.state_, std::move(envelope), held);
    co_return id;
  } catch (const std::exception& error) {
    q.alarm.refuse(error);
  }
}

async::Task<MessageId> Queue::Implementation::commit(Draft::State& state, Envelope envelope, bool held) {
  if (const std::optional<QueueError> refusal = journal->refusal()) throw *refusal;
  if (state.file || state.buffered() > options.inline_limit.count)
    co_await workers.run([&state] { state.finish_large(); });
  StoredMessage message;
  static_cast<MessageFacts&>(message) = state.facts(loop.wall_now());
  message.envelope = std::move(envelope);
  message.held = held;

  async::Slot<Position> durable;
  Submission submission;
  submission.kind = Submission::Kind::message;
  submission.id = state.id;
  submission.bytes = state.finish(message, message.envelope);
  submission.waiter = &durable;
  const auto length = static_cast<std::uint32_t>(submission.bytes.size());
  journal->submit(std::move(submission));
  const Position where = co_await durable;
  state.keep_file();
  Entry& entry = index.add(state.id, message, where, length, clock());
  if (held) index.set_timeless(entry, MessageState::held);
  arm();
  co_return state.id;
}

// --- send ---

async::Task<Content> Queue::read(Message& message) {
  const MessageId id = message.id;
  try {
    Content content = co_await implementation_->read(id);
    co_return content;
  } catch (const disk::DiskError& error) {
    // What cannot be read now may well be later.
    if (Message* found = find(id); found && found->state == MessageState::ready)
      release(*found, implementation_->loop.now() + reading_pause);
    throw QueueError(QueueError::Kind::failed, fmt::format("{} waits: {}", to_string(id), error.what()));
  }
}

async::Task<Content> Queue::Implementation::read(MessageId id) {
  for (;;) {
    const Entry* const entry = index.find(id);
    if (!entry) throw QueueError(QueueError::Kind::failed, "the message was removed meanwhile");
    const Position where = entry->where;
    const std::shared_ptr<const Segment> segment = segments.find(where.segment);
    std::string bytes = co_await fetch(segment, where, entry->length);
    std::optional<StoredMessage> stored;
    if (segment)
      if (const auto record = parse_record(bytes, segment->header.generation))
        stored = decode_message(*record);

    Entry* const now = index.find(id);
    if (now && stored) {
      Content content;
      if (stored->by_reference) {
        content = co_await open_large(id, stored->size, stored->body_checksum);
      } else {
        content.body = stored->body;
        content.size = stored->size;
      }
      content.envelope = std::move(stored->envelope);
      content.states = now->states.unpacked();
      co_return content;
    }
    // Unless it was rewritten meanwhile, and its old segment is in use for something else, it is damaged.
    if (now && now->where == where) co_await give_up(id, std::move(bytes), "its record is damaged");
  }
}

async::Task<void> Queue::mark_in_doubt(Message& message, std::string_view upstream) {
  Implementation& q = *implementation_;
  Entry& entry = entry_of(message);
  async::Slot<Position> durable;
  Submission fact;
  fact.id = entry.id;
  fact.bytes = encode_event(RecordType::in_doubt, entry.id, entry.last, q.loop.wall_now(), upstream);
  fact.waiter = &durable;
  q.index.set_doubt(entry, upstream);
  q.journal->submit(std::move(fact));
  co_await durable;
}

void Queue::settle(Message& message, const Outcome& outcome) {
  Implementation& q = *implementation_;
  Entry& entry = entry_of(message);
  if (entry.doomed) return q.erase(entry, {});
  const Position previous = entry.last;
  const bool living = q.index.apply(entry, outcome, q.options.keep_failed, q.clock());
  Submission fact;
  fact.id = entry.id;
  fact.bytes = encode_outcome(entry.id, previous, outcome, !living);
  if (!living) return q.erase(entry, std::move(fact));
  entry.hold_asked = false;
  q.journal->submit(std::move(fact));
  q.arm();
}

void Queue::release(Message& message, SteadyTime when) {
  Implementation& q = *implementation_;
  Entry& entry = entry_of(message);
  if (entry.doomed) return q.erase(entry, {});
  if (std::exchange(entry.hold_asked, false)) return q.index.set_timeless(entry, MessageState::held);
  q.index.set_waiting(entry, when);
  q.arm();
}

// --- operator ---

void Queue::hold(Message& message) {
  implementation_->hold(entry_of(message));
}

void Queue::retry(Message& message) {
  Implementation& q = *implementation_;
  Entry& entry = entry_of(message);
  if (entry.doomed) return;
  q.submit_event(RecordType::retry, entry);
  entry.hold_asked = false;
  if (entry.state == MessageState::ready) return;
  q.index.retry(entry, q.clock());
  q.arm();
}

void Queue::remove(Message& message) {
  implementation_->remove(entry_of(message));
}

async::Task<std::vector<HistoryEvent>> Queue::history(Message& message) {
  Implementation& q = *implementation_;
  const Entry& entry = entry_of(message);
  const Position source = entry.where, last = entry.last;
  const std::uint32_t length = entry.length;
  try {
    std::vector<HistoryEvent> events =
        co_await q.workers.run([&] { return read_history(q.segments, source, length, last); });
    co_return events;
  } catch (const disk::DiskError& error) {
    throw to_queue_error(error);
  }
}

Message* Queue::find(MessageId id) {
  return implementation_->index.find(id);
}

async::Task<Message*> Queue::oldest() {
  Implementation& q = *implementation_;
  OldestSearch search;
  while (q.index.go_on(search)) co_await async::sleep_until(q.loop, q.loop.now());
  co_return search.found ? q.index.find(*search.found) : nullptr;
}

void Queue::for_each(const std::function<void(Message&)>& visit) {
  std::vector<MessageId> ids;
  for (const Entry* entry : implementation_->index.by_id()) ids.push_back(entry->id);
  for (const MessageId id : ids)
    if (Entry* entry = implementation_->index.find(id)) visit(*entry);
}

std::vector<MessageId> Queue::ids() const {
  std::vector<MessageId> ids;
  ids.reserve(implementation_->index.size());
  implementation_->index.for_each([&ids](const Entry& entry) { ids.push_back(entry.id); });
  return ids;
}

Totals Queue::totals() const {
  Totals totals = implementation_->index.totals();
  totals.in_doubt = implementation_->found_in_doubt;
  totals.troubles = implementation_->alarm.count();
  return totals;
}

async::Task<void> Queue::flush() {
  async::Slot<Position> durable;
  Submission barrier;
  barrier.waiter = &durable;
  implementation_->journal->submit(std::move(barrier));
  co_await durable;
}

// --- content ---

Content::Content(Content&& other) noexcept
    : envelope(std::move(other.envelope)),
      states(std::move(other.states)),
      body(std::move(other.body)),
      file(std::exchange(other.file, -1)),
      size(other.size) {}

Content& Content::operator=(Content&& other) noexcept {
  if (this == &other) return *this;
  if (file >= 0) ::close(file);
  envelope = std::move(other.envelope);
  states = std::move(other.states);
  body = std::move(other.body);
  file = std::exchange(other.file, -1);
  size = other.size;
  return *this;
}

Content::~Content() {
  if (file >= 0) ::close(file);
}

}  // namespace relayd::queue
