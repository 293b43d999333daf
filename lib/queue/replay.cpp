#include "queue/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace relayd::queue {
namespace {

constexpr std::uint64_t told_every = 8 << 20;       // octets between two words about progress
constexpr std::uint64_t written_at_once = 8 << 20;  // more than a batch has

}  // namespace

Replay::Replay(Parts parts, Duration keep_failed, Clock clock, OnProgress on_progress)
    : parts_(parts), keep_failed_(keep_failed), clock_(clock), on_progress_(std::move(on_progress)) {}

void Replay::run() {
  for (const Ground::Log log : {Ground::Log::state, Ground::Log::messages}) refuse_newer(log);
  find(Ground::Log::state, states_);
  find(Ground::Log::messages, messages_);
  bound(states_, SegmentKind::state, SegmentKind::state);
  bound(messages_, SegmentKind::intake, SegmentKind::legacy);
  for (const Found& found : states_) total_ += found.size;
  const bool has_legacy = std::any_of(messages_.begin(), messages_.end(), [](const Found& found) {
    return found.segment->header.kind == SegmentKind::legacy;
  });
  find_checkpoint();
  migrating = has_legacy && !migrated_;
  if (migrating) read_legacy();
  read_states();
  read_messages();
  settle_entries();
  settle_sites();
  settle_large();
}

// --- the bytes of a segment ---

// Visits what is sound from `from` on. `proven`: so far it is known to have been durable.
Replay::Extent Replay::read_segment(const Found& found, std::uint32_t from, std::uint64_t proven,
                                    const Visit& visit) {
  const Segment& segment = *found.segment;
  if (found.newest) {
    // What a killed process wrote may be in the page cache alone: once applied it must not vanish. And after
    // a sync that failed, the cache may hold what the disk never got.
    segment.file->sync_data();
    segment.file->forget_cached();
  }
  const std::uint64_t end =
      found.end != 0 ? found.end : reach(segment, std::max<std::uint64_t>(from, proven), found.size);
  Extent extent{from};
  if (end <= from) return extent;
  std::uint64_t unreadable = 0;
  // Octets behind the end of the file read as zeroes, which are not sound.
  std::string bytes = std::exchange(buffer_, {});  // a segment may be read while another is
  bytes.resize(end - from);
  read_what_can_be_read(*segment.file, from, bytes, unreadable);
  if (!only_looking_) read += bytes.size();
  const std::string_view all = bytes;
  const std::uint64_t generation = segment.header.generation;
  std::size_t at = 0;
  while (at < all.size()) {
    if (const auto record = parse_record(all.substr(at), generation)) {
      visit(*record, {segment.header.sequence, static_cast<std::uint32_t>(from + at)});
      at += record->length;
      extent.end = static_cast<std::uint32_t>(from + at);
      tell();
      continue;
    }
    const std::size_t resume = next_sound(all, at + record_alignment, generation);
    const bool is_proven = !found.torn && (found.end != 0 || from + at < proven);
    const std::uint64_t hidden_to = unreadable > 0 ? hidden_until(segment, all.substr(at), from + at) : 0;
    if (!is_proven && hidden_to == 0 && !was_durable(all, at, from, generation)) {
      // What is sound behind it is believed all the same: perhaps it was damage, and somebody was told.
      extent.torn |= resume < all.size();
      at = resume;
      continue;
    }
    const bool open_end = found.end == 0 && resume == all.size();
    const Position where{segment.header.sequence, static_cast<std::uint32_t>(from + at)};
    if (const auto mended =
            unreadable > 0 ? std::nullopt : mend(all.substr(at, resume - at), where, segment)) {
      const std::optional<Record> record = parse_record(*mended, generation);
      visit(*record, where);
      at += record->length;
      extent.end = static_cast<std::uint32_t>(from + at);
      continue;
    }
    const std::size_t lost_to =
        open_end ? std::min<std::size_t>(std::max(proven, hidden_to) - from, resume) : resume;
    lost_checkpoint_ |= only_looking_;
    if (!only_looking_) damaged(all.substr(at, lost_to - at), where, segment, unreadable);
    extent.torn |= open_end && hidden_to == 0;
    extent.hidden |= open_end && hidden_to != 0;
    if (extent.hidden) extent.end = static_cast<std::uint32_t>(from + lost_to);
    at = resume;
  }
  buffer_ = std::move(bytes);
  return extent;
}

// So far a segment that may still be open has to be read. Files are far larger than what is written at once:
// where so much is not sound, nothing behind it is.
std::uint64_t Replay::reach(const Segment& segment, std::uint64_t from, std::uint64_t size) const {
  for (std::uint64_t at = from; at < size;) {
    std::uint64_t unreadable = 0;
    const std::string front =
        read_what_can_be_read(*segment.file, at, std::min<std::size_t>(size - at, record_header), unreadable);
    // A record that claims to be longer than that may be.
    const bool claims = may_be_record(front, segment.header.generation);
    const std::uint64_t wanted = std::max<std::uint64_t>(written_at_once, claims ? record_length(front) : 0);
    const std::size_t window = std::min(size - at, wanted);
    const std::string bytes = read_what_can_be_read(*segment.file, at, window, unreadable);
    std::size_t last = 0;
    for (std::size_t next = next_sound(bytes, 0, segment.header.generation); next < bytes.size();
         next = next_sound(bytes, last, segment.header.generation))
      last = next + record_length(std::string_view(bytes).substr(next));
    if (last == 0) return at + window;
    at += last;
  }
  return size;
}

// A record proves that all before its batch had been synced.
bool Replay::was_durable(std::string_view bytes, std::size_t hole, std::size_t from,
                         std::uint64_t generation) const {
  for (std::size_t at = next_sound(bytes, hole, generation); at < bytes.size();) {
    const auto record = parse_record(bytes.substr(at), generation);
    if (record && record->batch > from + hole) return true;
    at = next_sound(bytes, at + (record ? record->length : record_alignment), generation);
  }
  return false;
}

// Where the sectors end that cannot be read and hide a record, should one begin at `at`; 0: none does.
std::uint64_t Replay::hidden_until(const Segment& segment, std::string_view bytes, std::uint64_t at) {
  constexpr std::uint64_t sector = 4096;
  const bool claims = may_be_record(bytes, segment.header.generation);
  const std::uint64_t claimed = claims ? record_length(bytes) : 0;
  const std::uint64_t length = std::min(std::max<std::size_t>(claimed, record_alignment), bytes.size());
  std::uint64_t unreadable = 0;
  read_what_can_be_read(*segment.file, at, length, unreadable);
  return unreadable > 0 ? (at + length + sector - 1) / sector * sector : 0;
}

void Replay::note(std::string line) {
  set_aside.push_back(std::move(line));
}

void Replay::tell() {
  if (!on_progress_ || read < told_ + told_every) return;
  told_ = read;
  on_progress_({{read}, {std::max(read, total_)}, parts_.index.size()});
}

// --- the state log ---

// The newest one says which segments mean nothing any more. Their files may be in use for something else: one
// whose new header was lost shows its old one above half of what was written since.
void Replay::find_checkpoint() {
  only_looking_ = true;
  std::size_t known = 0;
  for (auto at = states_.rbegin(); at != states_.rend() && newest_checkpoint_.segment == 0; ++at) {
    if (at->is_void) continue;
    const bool newer_is_damaged = lost_checkpoint_;
    read_segment(*at, segment_start, 0, [&](const Record& record, Position where) {
      migrated_ |= record.type == RecordType::retired;
      const std::optional<Checkpoint> checkpoint = decode_checkpoint(record);
      if (!checkpoint) return;
      migrated_ = true;
      newest_checkpoint_ = where;
      states_from = checkpoint->states_from;
      lost_checkpoint_ = newer_is_damaged;
      known = 0;
      for (const SegmentRow& row : checkpoint->segments) known += row.count;
    });
  }
  only_looking_ = false;
  parts_.index.reserve(known);
  for (Found& found : states_) found.is_void |= found.segment->header.sequence < states_from;
}

void Replay::read_states() {
  std::uint64_t before = 0;
  for (const Found& found : states_) {
    const SegmentHeader& header = found.segment->header;
    last_state_sequence = std::max(last_state_sequence, header.sequence);
    if (found.is_void) {
      free_states_.emplace_back(header.sequence, Site{found.segment->path, found.segment->file, found.size});
      continue;
    }
    // Without a checkpoint the log has to begin with its first segment; but a checkpoint that is lost may
    // have let that go.
    const bool first_is_missing = before == 0 && !lost_checkpoint_ && header.sequence > states_from &&
                                  header.previous >= std::max<std::uint64_t>(states_from, 1);
    if (first_is_missing || (before != 0 && header.previous > before)) {
      damage_ = true;
      states_lost_ = false;
      suspects_.all();
      note(fmt::format("{}: segment {} of the state log, which is needed, is missing",
                       Ground::directory(Ground::Log::state),
                       before == 0 && states_from != 0 ? states_from : header.previous));
    }
    before = header.sequence;
    parts_.states.add(found.segment);
    const Extent extent = read_segment(found, segment_start, 0, [this](const Record& record, Position where) {
      apply_state(record, where);
    });
    states_start.end = {header.sequence, found.end != 0 ? static_cast<std::uint32_t>(found.end) : extent.end};
    states_start.torn = extent.torn;
    states_start.hidden = extent.hidden;
    if (found.newest && extent.goes_on(found)) states_start.current = found.segment;
  }
  if (states_lost_) suspects_.all();  // no later one tells of it: it may be the newest
}

void Replay::apply_state(const Record& record, Position where) {
  last_id = std::max(last_id, record.id);
  switch (record.type) {
    case RecordType::message:
    case RecordType::closed:
      return;
    case RecordType::checkpoint:
      return apply_checkpoint(record, where);
    case RecordType::retired:
      if (const auto sequences = decode_retired(record)) apply_retired(*sequences);
      return;
    case RecordType::summary:
      if (const auto summary = decode_summary(record)) {
        last_message_sequence = std::max(last_message_sequence, summary->where.segment);
        parts_.index.add(record.id, *summary, where, clock_);
        late_.erase(record.id.value);
        incomplete_.erase(record.id.value);
        suspects_.clear(record.id);
      }
      return;
    default:
      break;
  }
  if (record.type > RecordType::told) return carry(record);
  if (record.type == RecordType::retry) suspects_.clear(record.id);
  if (parts_.index.find(record.id)) return apply_fact(record, where);
  if (is_final(record)) {
    late_.erase(record.id.value);
    dead_.insert(record.id.value);
  } else if (!dead_.contains(record.id.value)) {
    late_[record.id.value].push_back({where, record.type, record.flags, std::string(record.payload)});
  }
}

// It goes with its message, if it is about one.
void Replay::carry(const Record& record) {
  pass_over(record, Ground::Log::state);
  std::pair<MessageId, std::string> kept{record.id, encode_again(record)};
  std::erase(unknown, kept);
  unknown.push_back(std::move(kept));
}

// A record of a type that a later version has. Throws where it may not be ignored.
void Replay::pass_over(const Record& record, Ground::Log log) {
  if (record.flags & flag_may_be_ignored) return;
  throw QueueError(QueueError::Kind::broken,
                   fmt::format("{}: a record of type {} was written by a newer version of relayd",
                               Ground::directory(log), static_cast<unsigned>(record.type)));
}

void Replay::apply_fact(const Record& record, Position where) {
  Entry* const entry = parts_.index.find(record.id);
  if (!entry) return;
  const Position before = std::exchange(entry->last, where);
  bool living = !is_final(record);
  if (previous_of(record) != before) incomplete_.insert(record.id.value);
  if (const auto stored = living ? decode_outcome(record) : std::nullopt) {
    parts_.index.owe(*entry, stored->owed);
    living = parts_.index.apply(*entry, stored->outcome, stored->counted, keep_failed_, clock_);
  } else if (const auto event = living ? decode_event(record) : std::nullopt) {
    living = apply_event(*entry, record.type, *event);
  }
  if (living) return;
  dead_.insert(record.id.value);
  parts_.index.erase(*entry);
}

// False: nothing is left to do.
bool Replay::apply_event(Entry& entry, RecordType type, const StoredEvent& event) {
  Index& index = parts_.index;
  const Clock then{clock_.now, event.when};
  switch (type) {
    case RecordType::in_doubt:
      index.apply(entry, event.doubt, due_time(event.when, event.doubt.next_attempt, clock_));
      break;
    case RecordType::hold:
      if (const auto recipients = Index::unsent_of(entry, event.recipients); event.recipients.empty())
        index.hold(entry);
      else if (!recipients.empty())
        index.hold(index.part(entry, recipients));
      break;
    case RecordType::retry:
      index.retry(entry, then, {static_cast<std::uint64_t>(event.when.time_since_epoch().count())});
      break;
    case RecordType::not_taken:
      // A power cut may lose the record of an attempt and keep what the operator said after it: that was
      // about other recipients then.
      if (!incomplete_.contains(entry.id().value)) apply_not_taken(entry, event, then);
      break;
    case RecordType::renewed:
      entry.lives_from = event.when;
      break;
    case RecordType::told:
      return index.told(entry, event.told);
    default:
      break;
  }
  return true;
}

// Of all who are in doubt, or of those whom it names.
void Replay::apply_not_taken(Entry& entry, const StoredEvent& event, Clock then) {
  std::vector<std::uint32_t> recipients = Index::unsent_of(entry, event.recipients);
  std::erase_if(recipients,
                [&](std::uint32_t each) { return entry.states.get(each) != RecipientState::doubtful; });
  if (recipients.empty()) return;
  // Where no other shipment is to be had, others share the doubt: it is not ended for them.
  Shipment& shipment = parts_.index.part(entry, recipients);
  if (shipment.unsent == recipients.size()) parts_.index.not_taken(shipment, then);
}

// Their numbers are never given out again, be their files there or not; and what they said of segments before
// them still holds.
void Replay::apply_retired(const std::vector<RetiredRow>& rows) {
  for (const RetiredRow& row : rows) {
    retired_.insert(row.sequence);
    last_message_sequence = std::max(last_message_sequence, row.sequence);
    if (row.kind != static_cast<std::uint32_t>(SegmentKind::intake)) continue;
    for (Found& found : messages_) {
      const SegmentHeader& header = found.segment->header;
      if (header.kind != SegmentKind::intake || header.sequence >= row.sequence) continue;
      found.is_void |= header.sequence > row.previous;
      if (header.sequence != row.previous) continue;
      found.end = row.previous_end;
      found.torn = row.previous_is_torn;
    }
  }
}

// The index must stand at the newest one as it stood when that was written: what is missing was lost to
// damage.
void Replay::apply_checkpoint(const Record& record, Position where) {
  std::optional<Checkpoint> checkpoint = decode_checkpoint(record);
  if (!checkpoint) return;
  suspects_.none_above(checkpoint->last_id);
  checkpoint_ = std::move(checkpoint);
  retired_.clear();
  last_message_sequence =
      std::max({last_message_sequence, checkpoint_->last_intake, checkpoint_->last_segment});
  for (const SegmentRow& row : checkpoint_->segments)
    last_message_sequence = std::max(last_message_sequence, row.sequence);
  if (!damage_ || where != newest_checkpoint_) return;
  for (const SegmentRow& row : checkpoint_->segments) bring_back(row);
}

// --- the message log ---

void Replay::read_messages() {
  for (const Found& found : messages_) {
    const SegmentHeader& header = found.segment->header;
    last_message_sequence = std::max(last_message_sequence, header.sequence);
    if (header.kind == SegmentKind::moved) continue;
    last_intake_sequence = header.sequence;
    if (migrating && header.kind == SegmentKind::legacy) continue;  // it was read
    if (found.is_void) continue;
    const SegmentRow* const row = row_of(header.sequence);
    if (header.kind == SegmentKind::intake && !is_dead(header.sequence)) {
      read_tail(found, row);
      continue;
    }
    const std::uint32_t end = row ? row->end : start_of(header);
    parts_.index.written(header.sequence, end - start_of(header));
    messages_start.end = {header.sequence, end};
  }
  tell_missing();
  for (const Found& found : messages_)
    if (found.segment->header.kind == SegmentKind::moved) read_moved(found);
}

// A start looks there for no message, unless what is damaged may be the one summary that tells of it.
void Replay::read_moved(const Found& found) {
  const std::uint64_t sequence = found.segment->header.sequence;
  const SegmentRow* const row = row_of(sequence);
  const std::uint32_t from = row ? row->end : segment_start;
  if (row) parts_.index.written(sequence, from - segment_start);
  if (!damage_ || is_dead(sequence)) return;
  total_ += found.size - std::min<std::uint64_t>(found.size, from);
  read_segment(found, from, 0, [this](const Record& record, Position where) { hold_unknown(record, where); });
}

// No living message is in that segment.
bool Replay::is_dead(std::uint64_t sequence) const {
  const Found* const found = message_segment(sequence);
  if (!found || retired_.contains(sequence)) return true;
  if (!checkpoint_ || row_of(sequence)) return false;
  const bool has_moved = found->segment->header.kind == SegmentKind::moved;
  return sequence <= (has_moved ? checkpoint_->last_segment : checkpoint_->last_intake);
}

// Names each message segment that had to be read, was not retired, and is not there.
void Replay::tell_missing() {
  std::set<std::uint64_t> wanted;
  if (checkpoint_)
    for (const SegmentRow& row : checkpoint_->segments)
      if (row.scan_from < row.end)
        wanted.insert(row.sequence);  // fully summarised ones may have been free already
  for (const Found& found : messages_) {
    const SegmentHeader& header = found.segment->header;
    const bool is_known = checkpoint_ && header.previous <= checkpoint_->last_intake;
    if (header.kind == SegmentKind::intake && header.previous != 0 && !found.is_void && !is_known &&
        !migrating)
      wanted.insert(header.previous);
  }
  for (const std::uint64_t sequence : wanted) {
    if (message_segment(sequence) || retired_.contains(sequence)) continue;
    damage_ = true;
    note(fmt::format(
        "{}: segment {} of the message log is missing; what stood in it and is not named here is lost",
        Ground::directory(Ground::Log::messages), sequence));
  }
}

const SegmentRow* Replay::row_of(std::uint64_t sequence) const {
  if (!checkpoint_) return nullptr;
  const auto row = std::find_if(checkpoint_->segments.begin(), checkpoint_->segments.end(),
                                [sequence](const SegmentRow& each) { return each.sequence == sequence; });
  return row == checkpoint_->segments.end() ? nullptr : &*row;
}

void Replay::read_tail(const Found& found, const SegmentRow* row) {
  const std::uint64_t sequence = found.segment->header.sequence;
  const std::uint32_t from = row ? row->scan_from : segment_start;
  Found bounded = found;
  // It was not being written any more then: that is where it ended.
  if (row && found.end == 0 && sequence < checkpoint_->last_intake) bounded.end = row->end;
  bounded.torn |= row && row->is_torn;
  total_ += found.size - std::min<std::uint64_t>(found.size, from);
  const Extent extent =
      read_segment(bounded, from, row ? row->end : 0,
                   [this](const Record& record, Position where) { add_message(record, where); });
  scanned_from[sequence] = from;
  if (bounded.torn || extent.torn) torn.insert(sequence);
  const std::uint64_t end = bounded.end != 0 ? bounded.end : extent.end;
  parts_.index.written(sequence, end - segment_start);
  messages_start.end = {sequence, static_cast<std::uint32_t>(end)};
  messages_start.torn = extent.torn;
  messages_start.hidden = extent.hidden;
  if (found.newest && bounded.end == 0 && extent.goes_on(found)) messages_start.current = found.segment;
}

// Null: it has ended, or is known already.
Entry* Replay::add_message(const Record& record, Position where) {
  if (record.type > RecordType::told) {
    pass_over(record, Ground::Log::messages);
    return nullptr;
  }
  last_id = std::max(last_id, record.id);
  if (dead_.contains(record.id.value) || parts_.index.find(record.id)) return nullptr;
  const std::optional<StoredMessage> message = decode_message(record);
  if (!message) return nullptr;
  if (message->envelope.report) reports.emplace_back(record.id, *message->envelope.report);
  Entry& entry = parts_.index.add(record.id, *message, message->envelope, where, record.length, clock_);
  const auto late = late_.extract(record.id.value);
  if (!late) return &entry;
  for (const Late& fact : late.mapped())
    apply_fact({fact.type, fact.flags, 0, 0, record.id, fact.payload}, fact.where);
  return parts_.index.find(record.id);
}

}  // namespace relayd::queue
