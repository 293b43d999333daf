// Segment: one file of the journal, its header and its life: free, named, full, free again.
//
// SegmentStore belongs to the writer thread. A Segment is shared with readers, who only read.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/record.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

constexpr std::uint32_t format_version = 1;
constexpr std::uint32_t segment_start = 4096;  // of the first record; the header has its block for itself

// What the header says. `previous` is the segment in use before this one (0: none) and `previous_end` where
// its last durable record ended: all behind that, and all segments between the two, is void.
struct SegmentHeader {
  std::uint64_t sequence = 0;
  std::uint64_t generation = 0;  // random; marks and seeds the records of this life of the file
  std::uint64_t previous = 0;
  std::uint32_t previous_end = 0;
};
// The block of the header, which stands in it twice.
std::string encode_header(const SegmentHeader& header);

struct HeaderVerdict {
  std::optional<SegmentHeader> header;  // nothing: not sound, or of another version
  std::uint32_t version = 0;            // 0: not sound
  bool is_copy = false;                 // the header itself is damaged, its copy was read
};
// `block`: the first segment_start bytes of a file.
HeaderVerdict decode_header(std::string_view block);

// "journal/0000000000000012.journal", in decimal.
std::string segment_path(std::uint64_t sequence);
// The sequence number in a name within journal/; nothing for any other name.
std::optional<std::uint64_t> parse_segment_name(std::string_view name);
bool is_free_name(std::string_view name);

struct Segment {
  SegmentHeader header;
  std::unique_ptr<disk::File> file;
};

class SegmentStore {
 public:
  // `last`: the highest sequence number ever seen. `free`: names of free files within journal/.
  SegmentStore(disk::Disk& disk, std::uint64_t last, std::vector<std::string> free);

  // A segment that is durable under its own name, made of a free file when there is one. Throws DiskError;
  // what was begun is then removed, or void (see SegmentHeader).
  std::shared_ptr<const Segment> open_next(std::uint64_t previous, std::uint32_t previous_end);

  // Removes, if it can, a segment in which nothing became durable. The next one must pass over it.
  void discard(std::uint64_t sequence);

  // Takes a segment out of use: its name is gone from the disk when it returns. Throws DiskError; nobody
  // knows then whether it is gone, so it must succeed before a younger one is retired. May be called again.
  void retire(std::uint64_t sequence);

 private:
  std::string free_file();
  void remove_if_possible(const std::string& path);

  disk::Disk& disk_;
  std::uint64_t last_;
  std::vector<std::string> free_;
};

}  // namespace relayd::queue
