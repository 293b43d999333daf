#include "queue/queue.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <set>
#include <utility>

#include "queue/draft.hpp"
#include "queue/history.hpp"
#include "queue/implementation.hpp"

namespace relayd::queue {
namespace {

Outcome without_texts(Outcome outcome) {
  outcome.username.clear();
  outcome.host.clear();
  for (RecipientOutcome& recipient : outcome.recipients) recipient.text.clear();
  return outcome;
}

}  // namespace

Queue::Queue(async::Loop& loop, async::Workers& workers, disk::Disk& disk, Options options)
    : implementation_(std::make_unique<Implementation>(loop, workers, disk, std::move(options))) {}

Queue::~Queue() = default;

void Queue::load(const std::function<void(const Progress&)>& progress) {
  try {
    implementation_->load(progress);
  } catch (const disk::DiskError& error) {
    throw QueueError(QueueError::Kind::broken, fmt::format("cannot open the queue {}: {}",
                                                           implementation_->options.directory, error.what()));
  }
}

Recovery Queue::begin() {
  return implementation_->begin();
}

void Queue::on_due(std::function<void(Shipment&)> callback) {
  implementation_->on_due = std::move(callback);
  implementation_->arm();
}

void Queue::on_debt(std::function<void(MessageId)> callback) {
  implementation_->on_debt = std::move(callback);
  if (!implementation_->on_debt) return;
  for (const auto& [id, debt] : implementation_->store.index.debts()) implementation_->on_debt({id});
}

void Queue::on_trouble(std::function<void(const std::string&)> callback) {
  implementation_->on_trouble = std::move(callback);
}

// --- accept ---

Draft Queue::draft() {
  Implementation& q = *implementation_;
  return Draft(std::make_unique<Draft::State>(q.store, q.workers, q.buffers.take(), q.next_id()));
}

async::Task<void> Draft::flush() {
  State& state = *state_;
  try {
    co_await state.workers.run([&state] { state.spill(); });
  } catch (const std::exception& error) {
    state.store.alarm.refuse(error);
  }
}

async::Task<MessageId> Queue::commit(Draft draft, const Envelope& envelope, bool held) {
  Implementation& q = *implementation_;
  try {
    const MessageId id = co_await q.commit(*draft.state_, envelope, held);
    co_return id;
  } catch (const std::exception& error) {
    q.alarm.refuse(error);
  }
}

// --- send ---

async::Task<Content> Queue::read(Shipment& shipment) {
  Content content = co_await implementation_->read(shipment.id.message(), shipment.id);
  co_return content;
}

async::Task<Content> Queue::look(Message& message, Wanted wanted) {
  Content content = co_await implementation_->read(message.id(), std::nullopt, wanted);
  co_return content;
}

async::Task<void> Queue::mark_in_doubt(Shipment& shipment, std::string_view upstream,
                                       std::span<const std::uint32_t> recipients, WallTime next_attempt) {
  Implementation& q = *implementation_;
  const ShipmentId id = shipment.id;
  if (q.upkeep().is_short_of_room()) co_await q.upkeep().wait_for_room();
  Shipment* const marked = q.store.index.find(id);
  if (!marked) co_return;
  Entry& entry = entry_of(*marked);
  std::vector<std::uint32_t> all;
  if (recipients.size() < marked->unsent && !q.may_part(entry)) {
    marked->whole = true;
    recipients = all = entry.recipients_of(*marked);
  }
  const WallTime now = q.loop.wall_now();
  Doubt doubt{std::string(upstream), {}, next_attempt};
  if (entry.parting || recipients.size() < marked->unsent)
    doubt.recipients.assign(recipients.begin(), recipients.end());
  async::Slot<Position> durable;
  Submission fact;
  fact.bytes = encode_doubt(entry.id(), entry.last, now, doubt);
  fact.waiter = &durable;
  q.store.index.mark_in_doubt(*marked, upstream, recipients);
  marked->due = due_time(now, next_attempt, q.clock());
  q.store.record(entry, std::move(fact));
  co_await durable;
}

void Queue::settle(Shipment& shipment, Outcome outcome, std::uint8_t route_step, const Debt& owed) {
  Implementation& q = *implementation_;
  if (q.take_back_doomed(shipment)) return;
  Index& index = q.store.index;
  Entry& entry = entry_of(shipment);
  const bool is_of_all = shipment.whole || (outcome.recipients.empty() && entry.parting) ||
                         (index.parts(shipment, outcome) && !q.may_part(entry));
  if (is_of_all) outcome = index.of_all(shipment, std::move(outcome));
  const bool counted = shipment.counted;
  Debt debt = owed;
  debt.since = index.retried(entry);
  index.owe(entry, debt);
  const bool living = index.apply(entry, outcome, counted, q.options.keep_failed, q.clock(), route_step);
  std::string record = encode_outcome(entry.id(), entry.last, outcome, counted, !living, debt);
  // With little room the texts of replies are left out.
  if (q.upkeep().is_brief() || record.size() > q.store.ground.largest_fact())
    record =
        encode_outcome(entry.id(), entry.last, without_texts(std::move(outcome)), counted, !living, debt);
  if (!living) return q.erase(entry, std::move(record));
  q.record(entry, std::move(record));
  if (!owed.empty() && q.on_debt) q.on_debt(entry.id());
  q.arm();
}

Shipment* Queue::part(Shipment& shipment, const std::vector<std::uint32_t>& recipients) {
  Entry& entry = entry_of(shipment);
  if (!implementation_->may_part(entry)) return nullptr;
  Index& index = implementation_->store.index;
  Shipment& own = index.part(entry, recipients);
  index.set_timeless(own, MessageState::ready);
  return &own;
}

std::vector<std::uint32_t> Queue::recipients(const Shipment& shipment) const {
  return entry_of(shipment).recipients_of(shipment);
}

void Queue::release(Shipment& shipment, SteadyTime when) {
  implementation_->give_back(shipment, when);
}

bool Queue::take(Shipment& shipment) {
  if (shipment.state != MessageState::waiting) return false;
  implementation_->make_ready(shipment);
  return true;
}

bool Queue::may_begin() const {
  return implementation_->may_begin();
}

// --- operator ---

void Queue::hold(Message& message) {
  implementation_->hold(entry_of(message));
}

void Queue::hold(Shipment& shipment) {
  implementation_->hold(shipment);
}

void Queue::retry(Message& message) {
  Implementation& q = *implementation_;
  Entry& entry = entry_of(message);
  if (entry.doomed || entry.state == MessageState::reporting) return;
  q.record_event(RecordType::retry, entry);
  q.store.index.retry(entry, q.clock(), q.store.last_id);
  q.arm();
}

void Queue::not_taken(Message& message) {
  Implementation& q = *implementation_;
  Entry& entry = entry_of(message);
  if (entry.doomed) return;
  entry.for_each_shipment([&](Shipment& shipment) {
    // Whoever has it now will say what became of this attempt.
    if (!shipment.in_doubt() || shipment.state == MessageState::ready) return;
    q.record_event(RecordType::not_taken, entry,
                   entry.parting ? entry.recipients_of(shipment) : std::vector<std::uint32_t>());
    q.store.index.not_taken(shipment, q.clock());
  });
  q.arm();
}

void Queue::renew(Message& message) {
  Implementation& q = *implementation_;
  Entry& entry = entry_of(message);
  if (entry.doomed) return;
  q.record_event(RecordType::renewed, entry);
  entry.lives_from = q.loop.wall_now();
}

void Queue::remove(Message& message) {
  implementation_->remove(entry_of(message));
}

async::Task<std::vector<HistoryEvent>> Queue::history(Message& message) {
  constexpr unsigned most_rounds = 4;
  Implementation& q = *implementation_;
  const MessageId id = message.id();
  std::vector<HistoryEvent> events;
  for (unsigned round = 0; round < most_rounds; ++round) {
    const Entry* entry = q.store.index.find(id);
    if (!entry) break;
    if (entry->last.is_promise()) {
      co_await q.store.facts->flush();
      continue;
    }
    const Position last = entry->last;
    events = co_await q.workers.run([&] { return read_history(q.store.states, last); });
    entry = q.store.index.find(id);
    // Where it began may have gone meanwhile, with a newer summary elsewhere.
    if (!entry || entry->last == last) break;
  }
  co_return events;
}

Message* Queue::find(MessageId id) {
  return implementation_->store.index.find(id);
}

bool Queue::may_leave(ShipmentId id) const {
  const Shipment* const shipment = implementation_->store.index.find(id);
  return shipment && !shipment->hold_asked && !entry_of(*shipment).doomed;
}

Shipment* Queue::find(ShipmentId id) {
  return implementation_->store.index.find(id);
}

async::Task<Message*> Queue::oldest() {
  Implementation& q = *implementation_;
  std::optional<MessageId> oldest;
  Walk walk;
  bool more = true;
  while (more) {
    more = q.store.index.go_on(walk, [&oldest](const Entry& entry) {
      const bool goes = !has_ended(entry.state) && entry.state != MessageState::held;
      if (goes && (!oldest || entry.id() < *oldest)) oldest = entry.id();
    });
    if (more) co_await async::sleep_until(q.loop, q.loop.now());
  }
  co_return oldest ? q.store.index.find(*oldest) : nullptr;
}

async::Task<std::vector<MessageId>> Queue::find_all(const std::function<bool(const Message&)>& wanted,
                                                    std::size_t most) {
  Implementation& q = *implementation_;
  std::set<MessageId> found;
  Walk walk;
  bool more = true;
  while (more) {
    more = q.store.index.go_on(walk, [&](const Entry& entry) {
      if (found.size() < most && !entry.doomed && wanted(entry)) found.insert(entry.id());
    });
    more = more && found.size() < most;
    if (more) co_await async::sleep_until(q.loop, q.loop.now());
  }
  co_return std::vector<MessageId>(found.begin(), found.end());
}

void Queue::for_each(const std::function<void(Message&)>& visit) {
  std::vector<MessageId> ids;
  for (const Entry* entry : implementation_->store.index.by_id()) ids.push_back(entry->id());
  for (const MessageId id : ids)
    if (Entry* entry = implementation_->store.index.find(id)) visit(*entry);
}

std::vector<MessageId> Queue::ids() const {
  std::vector<MessageId> ids;
  ids.reserve(implementation_->store.index.size());
  implementation_->store.index.for_each([&ids](const Entry& entry) { ids.push_back(entry.id()); });
  return ids;
}

Totals Queue::totals() const {
  Totals totals = implementation_->store.index.totals();
  totals.in_doubt = implementation_->found_in_doubt;
  totals.troubles = implementation_->alarm.count();
  return totals;
}

DiskUse Queue::disk_use() const {
  const Store& store = implementation_->store;
  const std::uint64_t logs = store.messages.capacity() + store.states.capacity() +
                             store.ground.free_capacity(Ground::Log::messages) +
                             store.ground.free_capacity(Ground::Log::state);
  return {{logs + store.index.large_octets()}, store.journal->sync_times(), store.facts->sync_times()};
}

const Debt* Queue::debt(MessageId id) const {
  return implementation_->store.index.debt(id);
}

void Queue::told(Message& message, const Told& told) {
  implementation_->told(entry_of(message), told);
}

async::Task<void> Queue::flush() {
  Store& store = implementation_->store;
  co_await store.facts->flush();
  co_await store.keeper.run([] {});  // what the facts let go of has gone
}

// --- content ---

Content::Content(Content&& other) noexcept
    : envelope(std::move(other.envelope)),
      states(std::move(other.states)),
      recipients(std::move(other.recipients)),
      body(std::move(other.body)),
      file(std::exchange(other.file, -1)),
      size(other.size) {}

Content& Content::operator=(Content&& other) noexcept {
  if (this == &other) return *this;
  if (file >= 0) ::close(file);
  envelope = std::move(other.envelope);
  states = std::move(other.states);
  recipients = std::move(other.recipients);
  body = std::move(other.body);
  file = std::exchange(other.file, -1);
  size = other.size;
  return *this;
}

Content::~Content() {
  if (file >= 0) ::close(file);
}

}  // namespace relayd::queue
