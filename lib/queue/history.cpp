#include "queue/history.hpp"

#include <algorithm>
#include <utility>

namespace relayd::queue {
namespace {

constexpr std::uint32_t usual_length = 512;

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
    known.state = recipient.state;
    known.code = recipient.code;
    known.text = recipient.text;
  }
}

// Newest first: `visit` gets each sound record and returns where the one before stands.
template <class Visit>
void walk(const SegmentTable& states, Position at, Visit visit) {
  while (at.segment != 0) {
    const std::optional<std::string> bytes = read_record(states, at, usual_length);
    const auto segment = states.find(at.segment);
    if (!bytes || !segment) return;
    const std::optional<Record> record = parse_record(*bytes, segment->header.generation);
    if (!record) return;
    const Position previous = visit(*record);
    if (previous >= at) return;  // a history only goes back
    at = previous;
  }
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
    case RecordType::not_taken:
      return HistoryEvent::Kind::not_taken;
    case RecordType::renewed:
      return HistoryEvent::Kind::renewed;
    case RecordType::told:
      return HistoryEvent::Kind::told;
    default:
      return HistoryEvent::Kind::attempt;
  }
}

}  // namespace

std::vector<HistoryEvent> read_history(const SegmentTable& states, Position last) {
  std::vector<HistoryEvent> events;
  walk(states, last, [&events](const Record& record) -> Position {
    if (std::optional<StoredOutcome> stored = decode_outcome(record)) {
      events.push_back(
          {HistoryEvent::Kind::attempt, stored->outcome.when, 0, std::move(stored->outcome), {}});
      return stored->previous;
    }
    if (const std::optional<StoredEvent> event = decode_event(record)) {
      events.push_back({kind_of(record.type), event->when, 0, {}, {}});
      events.back().outcome.upstream = event->doubt.upstream;
      events.back().report = event->told.report;
      return event->previous;
    }
    std::optional<Summary> summary = decode_summary(record);
    if (summary && summary->merged)
      events.push_back({HistoryEvent::Kind::earlier,
                        summary->merged->when,
                        summary->attempts,
                        std::move(*summary->merged),
                        {}});
    return {};
  });
  std::reverse(events.begin(), events.end());
  return events;
}

std::optional<Outcome> newest_replies(const SegmentTable& states, Position last, std::size_t recipients) {
  Outcome merged;
  merged.recipients.resize(recipients);
  for (std::uint32_t i = 0; i < recipients; ++i) merged.recipients[i].recipient = i;
  bool newest = true;
  walk(states, last, [&](const Record& record) -> Position {
    if (const std::optional<StoredOutcome> stored = decode_outcome(record)) {
      merge(merged, stored->outcome, std::exchange(newest, false));
      return stored->previous;
    }
    if (const std::optional<StoredEvent> event = decode_event(record)) return event->previous;
    const std::optional<Summary> summary = decode_summary(record);
    if (summary && summary->merged) merge(merged, *summary->merged, std::exchange(newest, false));
    return {};
  });
  if (newest) return std::nullopt;
  return merged;
}

}  // namespace relayd::queue
