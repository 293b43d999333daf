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
  note(fmt::format("{}: {} octets of {} that were durable are {}{}", kept, bytes.size(), segment.path,
                   unreadable > 0 ? "unreadable" : "damaged", about));
}

// Messages whose summaries are damaged are held: some of their recipients may have them. A message whose end
// is damaged is there instead, so the count alone does not say that none is missing.
void Replay::bring_back(const SegmentRow& row) {
  const auto& uses = parts_.index.segments();
  const auto use = uses.find(row.sequence);
  const std::uint32_t there = use == uses.end() ? 0 : use->second.based;
  const std::uint64_t ids = row.ids ^ (use == uses.end() ? 0 : use->second.based_ids);
  if (there > row.count || (there == row.count && ids == 0)) return;
  std::unordered_set<std::uint64_t> wanted;  // one of them is missing, if it is one
  if (there + 1 == row.count) wanted.insert(ids);
  if (there == row.count)
    parts_.index.for_each([&](const Entry& entry) {
      if (entry.base != 0 && entry.where.segment == row.sequence) wanted.insert(entry.id().value ^ ids);
    });
  const bool found = hold_missing(row, [&](MessageId id) { return wanted.contains(id.value); });
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
    if (record.type != RecordType::message || !is_wanted(record.id)) return;
    if (dead_.contains(record.id.value) || parts_.index.find(record.id)) return;
    const std::optional<StoredMessage> message = decode_message(record);
    if (!message) return;
    Entry& entry = parts_.index.add(record.id, *message, message->envelope, where, record.length, clock_);
    parts_.index.hold(entry);
    held = true;
    note(fmt::format("{} is held: what was known of it is damaged, and it may have been sent",
                     to_string(record.id)));
  });
  return held;
}

}  // namespace relayd::queue
