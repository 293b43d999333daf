#include "queue/segment.hpp"

#include <algorithm>
#include <random>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"
#include "queue/mend.hpp"

namespace relayd::queue {
namespace {

constexpr std::string_view magic = "relayd\r\n";  // CR LF: shows what a transfer as text did to it
constexpr std::size_t header_checksum_at = 56;
constexpr std::size_t header_size = 64;
constexpr std::size_t copy_at = 4096;         // in another block than the header
constexpr std::size_t legacy_copy_at = 2048;  // in format 1
constexpr std::size_t sector = 512;

// Magic, version and checksum stand where they stand in every version, so that a newer one is told from
// damage.
HeaderVerdict decode_copy(std::string_view bytes) {
  if (!bytes.starts_with(magic)) return {};
  if (checksum(bytes.substr(0, header_checksum_at)) != load<std::uint64_t>(&bytes[header_checksum_at]))
    return {};
  Reader reader(bytes.substr(magic.size()));
  HeaderVerdict verdict;
  verdict.version = reader.take<std::uint32_t>();
  if (verdict.version > format_version) return verdict;
  SegmentHeader header;
  header.previous_end = reader.take<std::uint32_t>();
  header.sequence = reader.take<std::uint64_t>();
  header.generation = reader.take<std::uint64_t>();
  header.previous = reader.take<std::uint64_t>();
  const auto kind = static_cast<std::uint8_t>(reader.take<std::uint32_t>());
  header.kind = static_cast<SegmentKind>(std::min(kind, static_cast<std::uint8_t>(SegmentKind::state)));
  reader.take<std::uint32_t>();  // the revision may be any
  header.previous_is_torn = reader.take<std::uint32_t>() != 0;
  verdict.header = header;
  return verdict;
}

}  // namespace

std::uint64_t random_generation() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

std::string encode_header(const SegmentHeader& header) {
  std::string bytes(magic);
  put(bytes, format_version);
  put(bytes, header.previous_end);
  put(bytes, header.sequence);
  put(bytes, header.generation);
  put(bytes, header.previous);
  put(bytes, static_cast<std::uint32_t>(header.kind));
  put(bytes, format_revision);
  put(bytes, static_cast<std::uint32_t>(header.previous_is_torn));
  bytes.resize(header_checksum_at);
  put(bytes, checksum(bytes));
  const std::string copy = bytes;
  bytes.resize(copy_at);
  bytes += copy;
  bytes.resize(segment_start);
  return bytes;
}

HeaderVerdict decode_header(std::string_view front) {
  for (const std::size_t at : {std::size_t{0}, copy_at, legacy_copy_at}) {
    if (front.size() < at + header_size) continue;
    HeaderVerdict verdict = decode_copy(front.substr(at, header_size));
    verdict.is_copy = at != 0;
    if (verdict.version != 0) return verdict;
  }
  return {};
}

void SegmentTable::add(std::shared_ptr<const Segment> segment) {
  std::lock_guard lock(mutex_);
  capacity_ += segment->capacity;
  const std::uint64_t sequence = segment->header.sequence;
  segments_[sequence] = std::move(segment);
}

void SegmentTable::remove(std::uint64_t sequence) {
  std::lock_guard lock(mutex_);
  const auto found = segments_.find(sequence);
  if (found == segments_.end()) return;
  capacity_ -= found->second->capacity;
  segments_.erase(found);
}

std::shared_ptr<const Segment> SegmentTable::find(std::uint64_t sequence) const {
  std::lock_guard lock(mutex_);
  const auto found = segments_.find(sequence);
  return found == segments_.end() ? nullptr : found->second;
}

std::vector<std::shared_ptr<const Segment>> SegmentTable::all() const {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<const Segment>> found;
  found.reserve(segments_.size());
  for (const auto& [sequence, segment] : segments_) found.push_back(segment);
  return found;
}

std::uint64_t SegmentTable::first() const {
  std::lock_guard lock(mutex_);
  return segments_.empty() ? 0 : segments_.begin()->first;
}

std::uint64_t SegmentTable::capacity() const {
  std::lock_guard lock(mutex_);
  return capacity_;
}

std::uint64_t SegmentTable::capacity_before(std::uint64_t sequence) const {
  std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [each, segment] : segments_)
    if (each < sequence) sum += segment->capacity;
  return sum;
}

std::size_t SegmentTable::size() const {
  std::lock_guard lock(mutex_);
  return segments_.size();
}

namespace {
std::optional<std::string> mended_fact(const Segment& segment, std::string_view bytes) {
  if (segment.header.kind != SegmentKind::state) return std::nullopt;
  return mended_record(bytes, segment.header.generation);
}
}  // namespace

std::optional<std::string> read_record(const SegmentTable& segments, Position where, std::uint32_t length) {
  const std::shared_ptr<const Segment> segment = segments.find(where.segment);
  if (!segment) return std::nullopt;
  const std::uint64_t generation = segment->header.generation;
  std::string bytes(std::max<std::size_t>(length, record_header), '\0');
  try {
    bytes.resize(segment->file->read_at(where.offset, bytes.data(), bytes.size()));
    if (!may_be_record(bytes, generation)) return mended_fact(*segment, bytes);
    const std::uint32_t true_length = record_length(bytes);
    if (true_length > bytes.size()) {
      if (where.offset + std::uint64_t{true_length} > segment->file->size()) return std::nullopt;
      bytes.resize(true_length);
      bytes.resize(segment->file->read_at(where.offset, bytes.data(), bytes.size()));
    }
  } catch (const disk::DiskError&) {
    return std::nullopt;
  }
  const std::optional<Record> record = parse_record(bytes, generation);
  if (!record) return mended_fact(*segment, bytes);
  bytes.resize(record->length);
  return bytes;
}

namespace {

// Halves what cannot be read until single sectors are left.
void read_piece(disk::File& file, std::uint64_t offset, char* to, std::size_t size,
                std::uint64_t& unreadable) {
  try {
    const std::size_t got = file.read_at(offset, to, size);
    std::fill_n(to + got, size - got, '\0');
    return;
  } catch (const disk::DiskError&) {
    std::fill_n(to, size, '\0');
    const std::size_t to_boundary = sector - offset % sector;
    if (size <= to_boundary) {
      unreadable += size;
      return;
    }
  }
  const std::size_t sectors = (offset % sector + size + sector - 1) / sector;
  const std::size_t first = sectors / 2 * sector - offset % sector;
  read_piece(file, offset, to, first, unreadable);
  read_piece(file, offset + first, to + first, size - first, unreadable);
}

}  // namespace

void read_what_can_be_read(disk::File& file, std::uint64_t offset, std::string& bytes,
                           std::uint64_t& unreadable) {
  if (!bytes.empty()) read_piece(file, offset, bytes.data(), bytes.size(), unreadable);
}

std::string read_what_can_be_read(disk::File& file, std::uint64_t offset, std::size_t size,
                                  std::uint64_t& unreadable) {
  std::string bytes(size, '\0');
  read_what_can_be_read(file, offset, bytes, unreadable);
  return bytes;
}

std::size_t next_sound(std::string_view bytes, std::size_t from, std::uint64_t generation) {
  for (std::size_t at = from; at + record_header <= bytes.size(); at += record_alignment)
    if (may_be_record(bytes.substr(at), generation) && parse_record(bytes.substr(at), generation)) return at;
  return bytes.size();
}

}  // namespace relayd::queue
