#include "queue/replay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace relayd::queue {

Replay::Replay(disk::Disk& disk, Index& index, SegmentTable& segments, Duration keep_failed, Clock clock)
    : disk_(disk), index_(index), segments_(segments), keep_failed_(keep_failed), clock_(clock) {}

JournalStart Replay::run() {
  find_segments();
  bound_segments();
  JournalStart start;
  for (const Found& found : found_) {
    if (found.is_void) {
      disk_.remove(segment_path(found.segment->header.sequence));
      continue;
    }
    start.end = {found.segment->header.sequence, replay_segment(found)};
  }
  settle_large();
  start.last_sequence = last_sequence_;
  start.free = std::move(free_);
  return start;
}

void Replay::find_segments() {
  for (const std::string& name : disk_.list("journal")) {
    if (is_free_name(name)) {
      free_.push_back(name);
    } else if (const auto sequence = parse_segment_name(name)) {
      find_segment(name, *sequence);
    } else {
      set_aside_.push_back(fmt::format("journal/{}: not a name of ours, left where it is", name));
    }
  }
}

void Replay::find_segment(const std::string& name, std::uint64_t sequence) {
  last_sequence_ = std::max(last_sequence_, sequence);
  auto segment = std::make_shared<Segment>();
  segment->file = disk_.open("journal/" + name);
  std::string block(segment_start, '\0');
  block.resize(segment->file->read_at(0, block.data(), block.size()));
  const HeaderVerdict verdict = decode_header(block);
  if (verdict.version > format_version)
    throw QueueError(QueueError::Kind::broken,
                     fmt::format("journal/{} is of format {}, written by a newer version; this one reads {}",
                                 name, verdict.version, format_version));
  if (!verdict.header || verdict.header->sequence != sequence) {
    disk_.rename("journal/" + name, "quarantine/" + name);
    disk_.sync_directory("quarantine");
    disk_.sync_directory("journal");
    set_aside_.push_back(fmt::format("quarantine/{}: a segment whose header is damaged", name));
    return;
  }
  if (verdict.is_copy)
    set_aside_.push_back(fmt::format("journal/{}: its header is damaged, the copy of it is read", name));
  segment->header = *verdict.header;
  found_.push_back({std::move(segment)});
}

// Each header tells where the segment in use before it ended.
void Replay::bound_segments() {
  const Found* next = nullptr;  // in use after the one that is looked at
  for (auto found = found_.rbegin(); found != found_.rend(); ++found) {
    const std::uint64_t sequence = found->segment->header.sequence;
    found->newest = !next;
    if (next) {
      const SegmentHeader& header = next->segment->header;
      found->is_void = header.previous < sequence;
      if (header.previous == sequence) found->end = header.previous_end;
      if (header.previous > sequence)
        set_aside_.push_back(fmt::format("{}: missing, although segments before and after it are there",
                                         segment_path(header.previous)));
    }
    if (!found->is_void) next = &*found;
  }
}

// Applies what is sound. Returns where the durable part ends.
std::uint32_t Replay::replay_segment(const Found& found) {
  const Segment& segment = *found.segment;
  // What a crashed process wrote may be in the page cache alone; once applied it must not vanish.
  if (found.newest) segment.file->sync_data();
  std::string& bytes = buffer_;
  bytes.resize(found.end != 0 ? found.end : segment.file->size());
  bytes.resize(segment.file->read_at(0, bytes.data(), bytes.size()));
  read_ += bytes.size();
  if (found.end != 0) bytes.resize(found.end);  // longer: what is missing reads as zeroes, which is not sound
  segments_.add(found.segment);
  index_.written(segment.header.sequence, segment_start);

  const std::string_view all = bytes;
  std::size_t at = segment_start;
  while (at < all.size()) {
    const auto record = parse_record(all.substr(at), segment.header.generation);
    if (record) {
      // Sound, yet it may say what no version wrote.
      if (!apply(*record, {segment.header.sequence, static_cast<std::uint32_t>(at)}))
        quarantine(all, at, at + record->length, found);
      at += record->length;
      continue;
    }
    const std::size_t resume = next_sound(all, at + record_alignment, segment.header.generation);
    if (!was_durable(all, at, resume, found)) break;
    quarantine(all, at, resume, found);
    at = resume;
  }
  index_.written(segment.header.sequence, at - segment_start);
  return static_cast<std::uint32_t>(std::min(at, all.size()));
}

// Where the next sound record begins; the end when there is none.
std::size_t Replay::next_sound(std::string_view bytes, std::size_t from, std::uint64_t generation) const {
  for (std::size_t at = from; at < bytes.size(); at += record_alignment)
    if (may_be_record(bytes.substr(at), generation) && parse_record(bytes.substr(at), generation)) return at;
  return bytes.size();
}

// A record proves that all before its batch had been synced; the header of the next segment proves it for the
// whole segment. So a hole at `hole` is damage when a sound record from `from` on began its batch behind it.
bool Replay::was_durable(std::string_view bytes, std::size_t hole, std::size_t from,
                         const Found& found) const {
  if (found.end != 0) return true;
  const std::uint64_t generation = found.segment->header.generation;
  for (std::size_t at = from; at < bytes.size();) {
    const auto record = parse_record(bytes.substr(at), generation);
    if (record && (record->batch > hole || !found.newest)) return true;
    at = next_sound(bytes, at + (record ? record->length : record_alignment), generation);
  }
  return false;
}

void Replay::quarantine(std::string_view bytes, std::size_t from, std::size_t to, const Found& found) {
  const std::string name = fmt::format("{:016}-{}", found.segment->header.sequence, from);
  set_aside_.push_back(
      fmt::format("quarantine/{}: {} bytes of {} from offset {} that were durable are damaged", name,
                  to - from, segment_path(found.segment->header.sequence), from));
  queue::set_aside(disk_, name, bytes.substr(from, to - from));
}

// False: the record is not understood.
bool Replay::apply(const Record& record, Position where) {
  last_id_ = std::max(last_id_, record.id);
  if (record.type == RecordType::message) {
    const std::optional<StoredMessage> message = decode_message(record);
    if (!message) return false;
    Entry& entry = index_.add(record.id, *message, where, record.length, clock_);
    if (message->held) index_.set_timeless(entry, MessageState::held);
    if (!message->progress) return true;
    const bool living = index_.apply(entry, message->progress->merged, keep_failed_, clock_);
    entry.attempts = message->progress->attempts;
    if (!living) index_.erase(entry);
    return true;
  }
  if (record.type == RecordType::outcome) {
    const std::optional<StoredOutcome> stored = decode_outcome(record);
    if (stored) apply_outcome(record, *stored, where);
    return stored.has_value();
  }
  const std::optional<StoredEvent> event = decode_event(record);
  if (!event) return false;
  apply_event(record, *event, where);
  return true;
}

void Replay::apply_outcome(const Record& record, const StoredOutcome& stored, Position where) {
  Entry* const entry = index_.find(record.id);
  if (!entry) return;
  entry->last = where;
  if (is_final(record) || !index_.apply(*entry, stored.outcome, keep_failed_, clock_)) index_.erase(*entry);
}

void Replay::apply_event(const Record& record, const StoredEvent& event, Position where) {
  Entry* const entry = index_.find(record.id);
  if (!entry) return;
  entry->last = where;
  switch (record.type) {
    case RecordType::in_doubt:
      index_.set_doubt(*entry, event.upstream);
      break;
    case RecordType::hold:
      index_.set_timeless(*entry, MessageState::held);
      break;
    case RecordType::retry:
      index_.retry(*entry, clock_);
      break;
    default:
      index_.erase(*entry);
  }
}

// Brings large/ and the index together: a body without a message goes, a message without its body is held.
void Replay::settle_large() {
  std::unordered_set<std::string> bodies;
  for (std::string& name : disk_.list("large")) bodies.insert(std::move(name));
  index_.for_each([&](Entry& entry) {
    in_doubt_ += entry.in_doubt;
    if (!entry.by_reference || bodies.erase(to_string(entry.id)) == 1) return;
    index_.set_timeless(entry, MessageState::held);
    set_aside_.push_back(fmt::format("large/{}: missing; the message is held", to_string(entry.id)));
  });
  // Where something was damaged it may have been what named the body.
  const bool keep = !set_aside_.empty();
  for (const std::string& name : bodies) {
    if (!keep) {
      disk_.remove("large/" + name);
      continue;
    }
    disk_.rename("large/" + name, "quarantine/" + name);
    set_aside_.push_back(fmt::format("quarantine/{}: a body that no message names", name));
  }
  if (keep && !bodies.empty()) disk_.sync_directory("quarantine");
}

}  // namespace relayd::queue
