#include "queue/history.hpp"

#include <algorithm>
#include <utility>

namespace relayd::queue {
namespace {

constexpr std::uint32_t usual_outcome = 512;

// Takes from an outcome what `merged` does not know yet; `merged` has an element for each recipient.
void merge(Outcome& merged, const Outcome& older, bool newest) {
  if (newest) {
    merged.when = older.when;
    merged.upstream = older.upstream;
    merged.username = older.username;
    merged.host = older.host;
  }
  for (const RecipientOutcome& recipient : older.recipients) {
    if (recipient.recipient >= merged.recipients.size()) continue;
    RecipientOutcome& known = merged.recipients[recipient.recipient];
    if (known.code != 0 || !known.text.empty()) continue;
    known.code = recipient.code;
    known.text = recipient.text;
  }
}

// Walks back from `at`, newest first: `visit` gets each record and what it decodes to, an outcome or another
// event. Stops at what is not sound or no longer there.
template <class Visit>
void walk(const SegmentTable& segments, Position at, Visit visit) {
  while (at.segment != 0) {
    const std::optional<std::string> bytes = read_record(segments, at, usual_outcome);
    const auto segment = segments.find(at.segment);
    if (!bytes || !segment) return;
    const std::optional<Record> record = parse_record(*bytes, segment->header.generation);
    const std::optional<StoredOutcome> outcome = decode_outcome(*record);
    const std::optional<StoredEvent> event = outcome ? std::nullopt : decode_event(*record);
    if (!outcome && !event) return;
    visit(*record, outcome, event);
    const Position previous = outcome ? outcome->previous : event->previous;
    if (previous >= at) return;  // a history only goes back
    at = previous;
  }
}

void merge_history(const SegmentTable& segments, Position at, Outcome& merged) {
  bool newest = true;
  walk(segments, at, [&](const Record&, const std::optional<StoredOutcome>& outcome, const auto&) {
    if (outcome) merge(merged, outcome->outcome, std::exchange(newest, false));
  });
}

HistoryEvent::Kind kind_of(RecordType type) {
  switch (type) {
    case RecordType::in_doubt:
      return HistoryEvent::Kind::in_doubt;
    case RecordType::hold:
      return HistoryEvent::Kind::held;
    case RecordType::retry:
      return HistoryEvent::Kind::retried;
    case RecordType::removed:
      return HistoryEvent::Kind::removed;
    default:
      return HistoryEvent::Kind::attempt;
  }
}

}  // namespace

void SegmentTable::add(std::shared_ptr<const Segment> segment) {
  std::lock_guard lock(mutex_);
  const std::uint64_t sequence = segment->header.sequence;
  segments_[sequence] = std::move(segment);
}

void SegmentTable::remove(std::uint64_t sequence) {
  std::lock_guard lock(mutex_);
  segments_.erase(sequence);
}

std::shared_ptr<const Segment> SegmentTable::find(std::uint64_t sequence) const {
  std::lock_guard lock(mutex_);
  const auto found = segments_.find(sequence);
  return found == segments_.end() ? nullptr : found->second;
}

std::vector<std::uint64_t> SegmentTable::below(std::uint64_t sequence) const {
  std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> found;
  for (const auto& [number, segment] : segments_)
    if (number < sequence) found.push_back(number);
  return found;
}

std::optional<std::string> read_record(const SegmentTable& segments, Position where, std::uint32_t length) {
  const std::shared_ptr<const Segment> segment = segments.find(where.segment);
  if (!segment) return std::nullopt;
  const std::uint64_t generation = segment->header.generation;
  std::string bytes(length, '\0');
  bytes.resize(segment->file->read_at(where.offset, bytes.data(), bytes.size()));
  if (!may_be_record(bytes, generation)) return std::nullopt;
  const std::uint32_t true_length = record_length(bytes);
  if (true_length > bytes.size()) {
    if (where.offset + std::uint64_t{true_length} > segment->file->size()) return std::nullopt;
    bytes.resize(true_length);
    bytes.resize(segment->file->read_at(where.offset, bytes.data(), bytes.size()));
  }
  const std::optional<Record> record = parse_record(bytes, generation);
  if (!record) return std::nullopt;
  bytes.resize(record->length);
  return bytes;
}

std::optional<std::string> rewrite(const SegmentTable& segments, const RewriteOrder& order) {
  std::optional<std::string> bytes = read_record(segments, order.source, order.length);
  const auto segment = segments.find(order.source.segment);
  if (!bytes || !segment) return std::nullopt;
  const std::optional<Record> record = parse_record(*bytes, segment->header.generation);
  const std::optional<StoredMessage> message = decode_message(*record);
  if (!message) return std::nullopt;

  std::optional<Progress> progress;
  const bool in_doubt = !order.doubted.empty();
  if (order.attempts > 0 || in_doubt) {
    Outcome merged;
    merged.when = order.now;
    merged.recipients.resize(order.states.size());
    merge_history(segments, order.last, merged);
    if (message->progress) merge(merged, message->progress->merged, order.last.segment == 0);
    for (std::uint32_t i = 0; i < order.states.size(); ++i) {
      merged.recipients[i].recipient = i;
      merged.recipients[i].state = order.states[i];
    }
    merged.next_attempt = order.next_attempt;
    if (in_doubt) merged.upstream = order.doubted;
    progress = Progress{order.attempts, std::move(merged)};
  }
  rewrite_message(*bytes, progress, in_doubt, order.held);
  return bytes;
}

std::vector<HistoryEvent> read_history(const SegmentTable& segments, Position source, std::uint32_t length,
                                       Position last) {
  std::vector<HistoryEvent> events;
  walk(segments, last,
       [&events](const Record& record, const std::optional<StoredOutcome>& outcome,
                 const std::optional<StoredEvent>& event) {
         if (outcome)
           events.push_back({HistoryEvent::Kind::attempt, outcome->outcome.when, 0, outcome->outcome});
         else
           events.push_back({kind_of(record.type), event->when, 0, {}});
       });
  const std::optional<std::string> bytes = read_record(segments, source, length);
  const auto segment = segments.find(source.segment);
  if (bytes && segment) {
    const std::optional<StoredMessage> message =
        decode_message(*parse_record(*bytes, segment->header.generation));
    if (message && message->progress)
      events.push_back({HistoryEvent::Kind::earlier, message->progress->merged.when,
                        message->progress->attempts, message->progress->merged});
  }
  std::reverse(events.begin(), events.end());
  return events;
}

void set_aside(disk::Disk& disk, const std::string& name, std::string_view bytes) {
  const std::string path = "quarantine/" + name;
  const std::vector<std::string> there = disk.list("quarantine");
  // Of a start before, which may have been cut short in the middle of it.
  if (std::find(there.begin(), there.end(), name) != there.end()) disk.remove(path);
  const std::unique_ptr<disk::File> file = disk.create(path);
  file->write_at(0, bytes);
  file->sync_data();
  disk.sync_directory("quarantine");
}

}  // namespace relayd::queue
