// What a Replay does with bytes that are damaged: one octet is put right, more is set aside, and a message of
// which something may be missing is held.
#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "queue/mend.hpp"
#include "queue/quarantine.hpp"
#include "queue/replay.hpp"

namespace relayd::queue {
namespace {

constexpr unsigned most_failed_mends = 32;  // each takes up to 40 ms

}  // namespace

// The octet stays wrong on disk.
std::optional<std::string> Replay::mend(std::string_view bytes, Position where, const Segment& segment) {
  if (segment.header.kind != SegmentKind::state || failed_mends_ == most_failed_mends) return std::nullopt;
  std::optional<std::string> mended = mended_record(bytes, segment.header.generation);
  if (!mended) ++failed_mends_;
  if (mended && !only_looking_)
    note(fmt::format("{}: one octet of the record at {} is damaged; what it says is known all the same",
                     segment.path, where.offset));
  return mended;
}

// Keeps the bytes, and says which message they seem to be about.
void Replay::damaged(std::string_view bytes, Position where, const Segment& segment,
                     std::uint64_t unreadable) {
  damage_ = true;
  const SegmentKind kind = segment.header.kind;
  if (kind == SegmentKind::state || kind == SegmentKind::legacy)
    suspects_.damaged(bytes, segment.header.generation, unreadable == 0);
  const std::string name = fmt::format("{:016}{}-{}", segment.header.sequence,
                                       kind == SegmentKind::state ? "s" : "", where.offset);
  std::string about;
  for (std::size_t at = 0; at + record_header <= bytes.size() && about.size() < 200; at += record_alignment)
    if (const auto id = claimed_id(bytes.substr(at), segment.header.generation))
      about += fmt::format("{}{}", about.empty() ? ", it seems of " : " ", to_string(*id));
  std::string kept = fmt::format("quarantine/{}", name);
  try {
    const Ground::Claim claim(parts_.ground, bytes.size());
    queue::set_aside(parts_.disk, name, bytes);
  } catch (const disk::DiskError& error) {
    kept = fmt::format("not kept in quarantine ({})", error.what());
  }
  note(fmt::format("{}: {} octets of {} are {}{}", kept, bytes.size(), segment.path,
                   unreadable > 0 ? "unreadable" : "damaged", about));
}

// Messages whose summaries are damaged are held: some of their recipients may have them. Messages whose end
// is damaged are there instead, so the count alone does not say that none is missing. If one is missing, one
// came back, or both, the ids say which; if more, all that are not known are taken for missing.
void Replay::bring_back(const SegmentRow& row) {
  const auto use = parts_.index.segments().find(row.sequence);
  const std::uint64_t ids = row.ids ^ (use == parts_.index.segments().end() ? 0 : use->second.based_ids);
  if (ids == 0) return;
  std::unordered_set<std::uint64_t> there;
  parts_.index.for_each([&](const Entry& entry) {
    if (entry.base != 0 && entry.where.segment == row.sequence) there.insert(id_checksum(entry.id()));
  });
  if (there.contains(ids)) return;
  const bool found = hold_missing(row, [&](MessageId id) {
    const std::uint64_t rest = ids ^ id_checksum(id);
    return rest == 0 || there.contains(rest);
  });
  if (!found) hold_missing(row, [](MessageId) { return true; });
}

// Holds messages of the segment that are not known, and have not ended as far as is known. False: none.
bool Replay::hold_missing(const SegmentRow& row, const std::function<bool(MessageId)>& is_wanted) {
  const Found* const found = message_segment(row.sequence);
  if (!found) return false;
  Found covered = *found;
  covered.newest = false;
  covered.end = found->segment->header.kind == SegmentKind::intake ? row.scan_from : row.end;
  bool held = false;
  read_segment(covered, start_of(found->segment->header), 0, [&](const Record& record, Position where) {
    if (is_wanted(record.id)) held |= hold_unknown(record, where);
  });
  return held;
}

// A message of which a summary told that is damaged. False: it is known here, or has ended.
bool Replay::hold_unknown(const Record& record, Position where) {
  if (record.type != RecordType::message) return false;
  if (Entry* const known = parts_.index.find(record.id)) {
    // An earlier summary named the place that it was moved from.
    const bool has_moved = known->where.segment != where.segment;
    if (is_dead(known->where.segment)) parts_.index.move(*known, where, record.length);
    return has_moved;
  }
  Entry* const entry = add_message(record, where);
  if (!entry) return false;
  if (suspects_.is_cleared(record.id)) return true;
  parts_.index.hold(*entry);
  note(fmt::format("{} is held: what was known of it is damaged, and it may have been sent",
                   to_string(record.id)));
  return true;
}

}  // namespace relayd::queue
