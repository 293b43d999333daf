#include "queue/segment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>

#include "queue/checksum.hpp"
#include "queue/codec.hpp"

namespace relayd::queue {
namespace {

constexpr std::string_view magic = "relayd\r\n";  // CR LF: shows what a transfer as text did to it
constexpr std::string_view suffix = ".journal";
constexpr std::string_view free_prefix = "free-";
constexpr std::size_t sequence_digits = 16;
constexpr std::size_t checksum_at = 56;
constexpr std::size_t header_size = 64;
constexpr std::size_t copy_at = 2048;  // in another sector than the header
constexpr std::size_t kept_free = 2;   // one to be filled next, one to spare; more would only hold space

std::uint64_t random_number() {
  std::random_device device;
  return std::uint64_t{device()} << 32 | device();
}

// Magic, version and checksum stand where they stand in every version, so that a newer one is told from
// damage.
HeaderVerdict decode_copy(std::string_view bytes) {
  if (!bytes.starts_with(magic)) return {};
  if (checksum(bytes.substr(0, checksum_at)) != load<std::uint64_t>(&bytes[checksum_at])) return {};
  Reader reader(bytes.substr(magic.size()));
  HeaderVerdict verdict;
  verdict.version = reader.take<std::uint32_t>();
  if (verdict.version != format_version) return verdict;
  SegmentHeader header;
  header.previous_end = reader.take<std::uint32_t>();
  header.sequence = reader.take<std::uint64_t>();
  header.generation = reader.take<std::uint64_t>();
  header.previous = reader.take<std::uint64_t>();
  verdict.header = header;
  return verdict;
}

}  // namespace

std::string encode_header(const SegmentHeader& header) {
  std::string bytes(magic);
  put(bytes, format_version);
  put(bytes, header.previous_end);
  put(bytes, header.sequence);
  put(bytes, header.generation);
  put(bytes, header.previous);
  bytes.resize(checksum_at);
  put(bytes, checksum(bytes));
  const std::string copy = bytes;
  bytes.resize(copy_at);
  bytes += copy;
  bytes.resize(segment_start);
  return bytes;
}

HeaderVerdict decode_header(std::string_view block) {
  if (block.size() < segment_start) return {};
  HeaderVerdict verdict = decode_copy(block.substr(0, header_size));
  if (verdict.version != 0) return verdict;
  verdict = decode_copy(block.substr(copy_at, header_size));
  verdict.is_copy = true;
  return verdict;
}

std::string segment_path(std::uint64_t sequence) {
  return fmt::format("journal/{:0{}}{}", sequence, sequence_digits, suffix);
}

std::optional<std::uint64_t> parse_segment_name(std::string_view name) {
  if (name.size() != sequence_digits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  std::uint64_t sequence = 0;
  const char* end = name.data() + sequence_digits;
  const auto [stop, error] = std::from_chars(name.data(), end, sequence);
  if (error != std::errc() || stop != end || sequence == 0) return std::nullopt;
  return sequence;
}

bool is_free_name(std::string_view name) {
  return name.starts_with(free_prefix);
}

SegmentStore::SegmentStore(disk::Disk& disk, std::uint64_t last, std::vector<std::string> free)
    : disk_(disk), last_(last), free_(std::move(free)) {}

std::string SegmentStore::free_file() {
  if (free_.empty()) {
    std::string name = fmt::format("{}{:0{}}", free_prefix, last_, sequence_digits);
    disk_.create("journal/" + name);
    free_.push_back(std::move(name));
  }
  return "journal/" + free_.back();
}

std::shared_ptr<const Segment> SegmentStore::open_next(std::uint64_t previous, std::uint32_t previous_end) {
  // A number is used once, even if it came to nothing: nobody can say what of it is on disk.
  ++last_;
  const std::string from = free_file();
  free_.pop_back();
  auto segment = std::make_shared<Segment>();
  segment->header = {last_, random_number(), previous, previous_end};
  try {
    segment->file = disk_.open(from);
    // The header is durable before the file has its name, so a torn header is only ever on a free file.
    segment->file->write_at(0, encode_header(segment->header));
    segment->file->sync_data();
    disk_.rename(from, segment_path(last_));
    disk_.sync_directory("journal");
  } catch (...) {
    // Not to be trusted again. Where it cannot be removed it is harmless: free, or a segment never written.
    remove_if_possible(from);
    remove_if_possible(segment_path(last_));
    throw;
  }
  return segment;
}

void SegmentStore::discard(std::uint64_t sequence) {
  remove_if_possible(segment_path(sequence));
}

void SegmentStore::retire(std::uint64_t sequence) {
  const std::string path = segment_path(sequence);
  const std::string name = fmt::format("{}{:0{}}", free_prefix, sequence, sequence_digits);
  const bool keep = free_.size() < kept_free;
  try {
    keep ? disk_.rename(path, "journal/" + name) : disk_.remove(path);
  } catch (const disk::DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory)
      throw;  // else done before, and only the sync failed
  }
  // Before its header is written anew the old name must be gone, or a crash could leave the new header there.
  disk_.sync_directory("journal");
  if (keep) free_.push_back(name);
}

void SegmentStore::remove_if_possible(const std::string& path) {
  try {
    disk_.remove(path);
  } catch (const disk::DiskError&) {
    // The next start finds it.
  }
}

}  // namespace relayd::queue
