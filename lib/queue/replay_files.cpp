// What a Replay begins with: the files of both logs, what their headers say, and where each segment ends.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "queue/replay.hpp"

namespace relayd::queue {
namespace {

constexpr std::size_t first_block = 4096;  // the header has it for itself

bool is_zero(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

bool is_free_name_of_format_1(const std::string& name) {
  return name.starts_with("free-");
}

}  // namespace

// Before anything is changed: a newer version shall find all as it left it.
void Replay::refuse_newer(Ground::Log log) const {
  const std::string directory = Ground::directory(log);
  for (const std::string& name : parts_.disk.list(directory)) {
    if (!Ground::site_number(log, name)) continue;
    const std::unique_ptr<disk::File> file = parts_.disk.open(directory + "/" + name);
    std::uint64_t unreadable = 0;
    const HeaderVerdict verdict = decode_header(read_what_can_be_read(*file, 0, segment_start, unreadable));
    if (verdict.version > format_version)
      throw QueueError(QueueError::Kind::broken,
                       fmt::format("{}/{} is of format {}, written by a newer version of relayd; this one "
                                   "reads formats up to {}",
                                   directory, name, verdict.version, format_version));
  }
}

void Replay::find(Ground::Log log, std::vector<Found>& found) {
  const std::string directory = Ground::directory(log);
  // A killed process may have made a file whose name only the kernel knows.
  parts_.disk.sync_directory(directory);
  for (const std::string& name : parts_.disk.list(directory)) {
    if (const auto number = Ground::site_number(log, name)) {
      parts_.ground.seen(log, *number);
      find_file(log, name, found);
    } else if (is_free_name_of_format_1(name)) {
      parts_.disk.remove(directory + "/" + name);
    } else {
      note(fmt::format("{}/{}: not a name of ours, left where it is", directory, name));
    }
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return a.segment->header.sequence < b.segment->header.sequence;
  });
}

void Replay::find_file(Ground::Log log, const std::string& name, std::vector<Found>& found) {
  auto segment = std::make_shared<Segment>();
  segment->path = fmt::format("{}/{}", Ground::directory(log), name);
  segment->file = parts_.disk.open(segment->path);
  segment->capacity = segment->file->size();
  std::uint64_t unreadable = 0;
  const std::string front = read_what_can_be_read(
      *segment->file, 0, std::min<std::uint64_t>(segment_start, segment->capacity), unreadable);
  const HeaderVerdict verdict = decode_header(front);
  if (!verdict.header) {
    // Made ahead of need and never used, or cut short in its first batch, which may show half of the copy.
    if (unreadable == 0 && is_zero(std::string_view(front).substr(0, first_block))) {
      Site site{segment->path, segment->file, segment->capacity};
      if (log == Ground::Log::messages)
        parts_.ground.adopt(log, std::move(site));
      else
        free_states_.emplace_back(0, std::move(site));
      return;
    }
    damage_ = true;
    states_lost_ |= log == Ground::Log::state;
    parts_.disk.rename(segment->path, "quarantine/" + name);
    parts_.disk.sync_directory("quarantine");
    parts_.disk.sync_directory(Ground::directory(log));
    note(fmt::format("quarantine/{}: a file whose header is damaged", name));
    return;
  }
  if (verdict.is_copy && (unreadable > 0 || !is_zero(std::string_view(front).substr(0, first_block))))
    note(fmt::format("{}: its header is damaged, the copy of it is read", segment->path));
  segment->header = *verdict.header;
  const std::uint64_t size = segment->capacity;
  found.push_back({std::move(segment), size});
}

// Each header tells where the segment of its kind that was in use before it ended.
void Replay::bound(std::vector<Found>& found, SegmentKind kind, SegmentKind older) {
  const Found* next = nullptr;  // in use after the one that is looked at
  for (auto at = found.rbegin(); at != found.rend(); ++at) {
    const SegmentHeader& mine = at->segment->header;
    if (mine.kind != kind && mine.kind != older) continue;
    at->newest = !next;
    if (next) {
      const SegmentHeader& header = next->segment->header;
      at->is_void = header.previous < mine.sequence;
      if (header.previous == mine.sequence) {
        at->end = header.previous_end;
        at->torn = header.previous_is_torn;
      }
    }
    if (!at->is_void) next = &*at;
  }
}

const Replay::Found* Replay::message_segment(std::uint64_t sequence) const {
  const auto found = std::lower_bound(
      messages_.begin(), messages_.end(), sequence,
      [](const Found& a, std::uint64_t wanted) { return a.segment->header.sequence < wanted; });
  return found != messages_.end() && found->segment->header.sequence == sequence ? &*found : nullptr;
}

}  // namespace relayd::queue
