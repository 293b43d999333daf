// Replay of format 1, in which one log held messages and what happened to them. Its segments stay where they
// are until their messages have gone; what it knows of those is in summaries before the first checkpoint is.
#include <utility>

#include "queue/replay.hpp"

namespace relayd::queue {
namespace {

// In format 1 doubt was the message's, not its recipients'.
void make_doubtful(Outcome& outcome) {
  for (RecipientOutcome& recipient : outcome.recipients)
    if (recipient.state == RecipientState::pending) recipient.state = RecipientState::doubtful;
}

// What is known of each recipient after another attempt.
void add(Outcome& known, Outcome&& newer) {
  std::vector<RecipientOutcome> recipients = std::move(known.recipients);
  for (RecipientOutcome& recipient : newer.recipients) {
    if (recipient.recipient >= recipients.size()) continue;
    recipients[recipient.recipient] = std::move(recipient);
  }
  known = std::move(newer);
  known.recipients = std::move(recipients);
}

Outcome nothing_known(std::size_t recipients) {
  Outcome outcome;
  outcome.recipients.resize(recipients);
  for (std::uint32_t i = 0; i < recipients; ++i) outcome.recipients[i].recipient = i;
  return outcome;
}

}  // namespace

void Replay::read_legacy() {
  for (const Found& found : messages_) {
    const SegmentHeader& header = found.segment->header;
    if (header.kind != SegmentKind::legacy || found.is_void) continue;
    const Extent extent =
        read_segment(found, legacy_segment_start, 0,
                     [this](const Record& record, Position where) { apply_legacy(record, where); });
    parts_.index.written(header.sequence, extent.end - legacy_segment_start);
    messages_start.end = {header.sequence,
                          found.end != 0 ? static_cast<std::uint32_t>(found.end) : extent.end};
    messages_start.torn = extent.torn;
  }
  // Positions of the old log lead nowhere.
  parts_.index.for_each([](Entry& entry) { entry.last = {}; });
}

void Replay::apply_legacy(const Record& record, Position where) {
  Index& index = parts_.index;
  last_id = std::max(last_id, record.id);
  bool living = !is_final(record);
  if (std::optional<StoredMessage> message = decode_message(record)) {
    Entry& entry = index.add(record.id, *message, message->envelope, where, record.length, clock_);
    if (!message->progress) return;
    Outcome& merged = message->progress->merged;
    if (message->progress->in_doubt) make_doubtful(merged);
    living = index.apply(entry, merged, false, keep_failed_, clock_);
    entry.first.attempts = message->progress->attempts;
    if (living) inherited[record.id.value] = std::move(merged);
  } else if (Entry* const entry = index.find(record.id)) {
    if (std::optional<StoredOutcome> stored = living ? decode_outcome(record) : std::nullopt) {
      if (stored->in_doubt) make_doubtful(stored->outcome);
      living = index.apply(*entry, stored->outcome, false, keep_failed_, clock_);
      const auto known = inherited.try_emplace(record.id.value, nothing_known(entry->states.size())).first;
      add(known->second, std::move(stored->outcome));
    } else if (const auto event = living ? decode_event(record) : std::nullopt) {
      apply_event(*entry, record.type, *event);
    }
  }
  if (living) return;
  inherited.erase(record.id.value);
  if (Entry* const entry = index.find(record.id)) index.erase(*entry);
}

}  // namespace relayd::queue
