// Segment: one life of a file in one of the two logs: its header, and who finds it.
//
// A Segment is shared with readers, who only read; the writer of its log appends. Files are made and used
// again by Ground.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/record.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

// A binary refuses a queue whose format is greater than its own, and ignores how much greater the revision
// is: what a revision adds bears flag_may_be_ignored; FORMAT.md names the one exception.
constexpr std::uint32_t format_version = 2;
constexpr std::uint32_t format_revision = 4;

// Where the first record stands. The header and its copy have a block each for themselves.
constexpr std::uint32_t segment_start = 8192;
constexpr std::uint32_t legacy_segment_start = 4096;  // in format 1

enum class SegmentKind : std::uint8_t {
  legacy = 0,  // of format 1: both logs in one
  intake = 1,  // messages as they were taken
  moved = 2,   // messages that were moved here: each is named by a summary, or means nothing
  state = 3,
};

// What the header says. `previous` is the segment of this kind that was in use before this one (0: none) and
// `previous_end` where its last durable record ended: all behind that, and all segments of this kind between
// the two, is void.
struct SegmentHeader {
  std::uint64_t sequence = 0;
  std::uint64_t generation = 0;  // random; marks and seeds the records of this life of the file
  std::uint64_t previous = 0;
  std::uint32_t previous_end = 0;
  SegmentKind kind = SegmentKind::legacy;
  bool previous_is_torn = false;  // it has holes that never were durable, with sound records behind them
};
inline std::uint32_t start_of(const SegmentHeader& header) {
  return header.kind == SegmentKind::legacy ? legacy_segment_start : segment_start;
}
// A generation for a segment: random, so that nobody who sends mail can guess it.
std::uint64_t random_generation();

// All that stands before the first record: the header, twice.
std::string encode_header(const SegmentHeader& header);

struct HeaderVerdict {
  std::optional<SegmentHeader> header;  // nothing: not sound, or of a newer version
  std::uint32_t version = 0;            // 0: not sound
  bool is_copy = false;                 // the header itself is damaged, its copy was read
};
// `front`: what a file begins with, segment_start bytes if it has so many.
HeaderVerdict decode_header(std::string_view front);

struct Segment {
  SegmentHeader header;
  std::string path;
  std::shared_ptr<disk::File> file;
  std::uint64_t capacity = 0;  // octets that are allocated to it
};

// The segments of one log that are in use. Shared by its writer, which adds, and by readers: it is locked,
// never while something is read or written.
class SegmentTable {
 public:
  void add(std::shared_ptr<const Segment> segment);
  void remove(std::uint64_t sequence);
  std::shared_ptr<const Segment> find(std::uint64_t sequence) const;
  std::vector<std::shared_ptr<const Segment>> all() const;  // ascending
  std::uint64_t first() const;                              // 0: there is none
  std::uint64_t capacity() const;                           // of all of them
  std::uint64_t capacity_before(std::uint64_t sequence) const;
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<const Segment>> segments_;
  std::uint64_t capacity_ = 0;
};

// The bytes of the sound record at `where`; nothing when there is none, or it cannot be read. In the state
// log one wrong octet is put right. `length`: what is expected to be enough. Blocks.
std::optional<std::string> read_record(const SegmentTable& segments, Position where, std::uint32_t length);

// Reads `size` octets at `offset`, or as many as `bytes` has. Sectors that the disk cannot give read as
// zeroes and are counted in `unreadable`; octets behind the end of the file read as zeroes, too. Blocks.
void read_what_can_be_read(disk::File& file, std::uint64_t offset, std::string& bytes,
                           std::uint64_t& unreadable);
std::string read_what_can_be_read(disk::File& file, std::uint64_t offset, std::size_t size,
                                  std::uint64_t& unreadable);

// Where the next sound record begins, from `from` on; the end of `bytes` when there is none.
std::size_t next_sound(std::string_view bytes, std::size_t from, std::uint64_t generation);

}  // namespace relayd::queue
