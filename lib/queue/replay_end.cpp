// What a Replay does once all is read: which segments are in use, which files are free, what becomes of
// messages of which something is missing.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "queue/replay.hpp"

namespace relayd::queue {

// A message whose segment is not there cannot be sent.
void Replay::settle_entries() {
  for (const Found& found : messages_) {
    const SegmentHeader& header = found.segment->header;
    const auto use = parts_.index.segments().find(header.sequence);
    const bool lives = use != parts_.index.segments().end() && use->second.count > 0;
    // What had to be read has to be retired in due form before it is used again.
    const bool counts = scanned_from.contains(header.sequence) ||
                        (migrating && header.kind == SegmentKind::legacy && !found.is_void);
    if (!lives && !counts) continue;
    parts_.messages.add(found.segment);
  }
  settle_extents();
  for (const MessageId id : suspects_.hold(parts_.index))
    note(fmt::format("{} is held: what was recorded about it is damaged, and it may have been sent",
                     to_string(id)));
  if (messages_start.current) {
    const std::uint64_t sequence = messages_start.current->header.sequence;
    if (!parts_.messages.find(sequence)) parts_.messages.add(messages_start.current);
  }
  parts_.index.for_each([this](Entry& entry) {
    if (entry.in_doubt()) in_doubt.push_back(entry.id());
    if (parts_.messages.find(entry.where.segment)) return;
    parts_.index.hold(entry);
    note(fmt::format("{} is held: segment {} of the message log, where it stands, is missing",
                     to_string(entry.id()), entry.where.segment));
  });
}

// Of a segment that was not read the index knows what lives there; it must not take it for shorter.
void Replay::settle_extents() {
  std::map<std::uint64_t, std::uint64_t> ends;
  parts_.index.for_each([&ends](const Entry& entry) {
    std::uint64_t& end = ends[entry.where.segment];
    end = std::max(end, std::uint64_t{entry.where.offset} + entry.length);
  });
  for (const auto& [sequence, end] : ends) {
    const auto segment = parts_.messages.find(sequence);
    if (!segment) continue;
    const std::uint64_t known = start_of(segment->header) + parts_.index.segments().at(sequence).bytes;
    if (known < end) parts_.index.written(sequence, end - known);
  }
}

// Files that hold nothing living are free. Those of the state log go round in their order, so that what is
// left of it is always its newest part.
void Replay::settle_sites() {
  for (const Found& found : messages_) {
    const std::uint64_t sequence = found.segment->header.sequence;
    if (parts_.messages.find(sequence)) continue;
    parts_.index.forget(sequence);
    scanned_from.erase(sequence);
    parts_.ground.adopt(Ground::Log::messages, {found.segment->path, found.segment->file, found.size});
  }
  std::stable_sort(free_states_.begin(), free_states_.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& [sequence, site] : free_states_) parts_.ground.adopt(Ground::Log::state, std::move(site));
  segments = parts_.messages.size() + parts_.states.size();
}

// Brings large/ and the index together: a body without a message goes, a message without its body is held.
void Replay::settle_large() {
  std::unordered_set<std::string> bodies;
  for (std::string& name : parts_.disk.list("large")) bodies.insert(std::move(name));
  parts_.index.for_each([&](Entry& entry) {
    if (!entry.by_reference || bodies.erase(to_string(entry.id())) == 1) return;
    parts_.index.hold(entry);
    note(fmt::format("large/{}: missing; the message is held", to_string(entry.id())));
  });
  for (const std::string& name : bodies) {
    // Where something was damaged it may have been what named the body.
    if (!damage_) {
      parts_.disk.remove("large/" + name);
      continue;
    }
    parts_.disk.rename("large/" + name, "quarantine/" + name);
    note(fmt::format("quarantine/{}: a body that no message names", name));
  }
  if (damage_ && !bodies.empty()) parts_.disk.sync_directory("quarantine");
}

void Replay::begin_segment(Ground::Log log) {
  const bool is_state = log == Ground::Log::state;
  JournalStart& start = is_state ? states_start : messages_start;
  std::uint64_t& last = is_state ? last_state_sequence : last_message_sequence;
  if (start.current) return;
  const SegmentHeader header = {++last,
                                random_generation(),
                                start.end.segment,
                                start.end.offset,
                                is_state ? SegmentKind::state : SegmentKind::intake,
                                start.torn};
  start.current = parts_.ground.begin_segment(log, header, segment_start + 1);
  start.end = {header.sequence, segment_start};
  start.torn = false;
  if (!is_state) last_intake_sequence = header.sequence;
  (is_state ? parts_.states : parts_.messages).add(start.current);
}

}  // namespace relayd::queue
