// Ground: the queue's files and its room on the disk. It makes files that are filled with zeroes ahead of
// need, so that a sync has only data to write and a full disk stops nothing that has begun; it hands them to
// the two logs, takes them back, and keeps what it lays claim to out of the reserve.
//
// Owned by the queue. Any thread; nothing is read or written under its lock. A free file means nothing:
// whatever it contains is dead.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "queue/segment.hpp"
#include "shared/base/bytes.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

// A file of journal/ or state/, free to become a segment.
struct Site {
  std::string path;
  std::shared_ptr<disk::File> file;
  std::uint64_t capacity = 0;  // octets that the disk has given it
};

class Ground {
 public:
  enum class Log { messages, state };

  // Octets of the smallest files that are made, where the largest allows it: a relay that takes little needs
  // little of the disk.
  static constexpr std::uint64_t smallest_message_file = 4 << 20;
  static constexpr std::uint64_t smallest_state_file = 256 << 10;

  // Nothing is made while less than `reserve` would be left free. `largest`: octets of a file.
  Ground(disk::Disk& disk, Bytes reserve, Bytes largest);

  // The number in the name of a file of ours; nothing for any other name.
  static std::optional<std::uint64_t> site_number(Log log, std::string_view name);
  static const char* directory(Log log);

  // A file that was found at the start and is free.
  void adopt(Log log, Site site);
  // A number that is in use, so that no file is made under it.
  void seen(Log log, std::uint64_t number);

  // Makes a file of `size` octets and adds it to the free ones. Blocks. Throws DiskError: ENOSPC below the
  // reserve as well; nothing is left then.
  void make(Log log, std::uint64_t size);
  // The free file that came back first and has room for `least`, but not one of the last `left` ones; a small
  // one is made when there is none. Blocks then, and throws as make().
  Site take(Log log, std::uint64_t least, std::size_t left = 0);
  void give_back(Log log, Site site);
  void give_back(Log log, const Segment& segment);
  // A segment in such a file, with a header that is durable: what it says voids what a failed batch left
  // behind, and no start can take what follows for an earlier life of the file. Blocks, and throws as make().
  std::shared_ptr<const Segment> begin_segment(Log log, const SegmentHeader& header, std::uint64_t least,
                                               std::size_t left = 0);
  // Removes free files, those that came back first, while more than `count` are left. Blocks.
  void trim(Log log, std::size_t count);
  // Removes free files, those that came back first, of at most `octets` octets in all, where of each file no
  // more than `most` count. Blocks.
  void trim_octets(Log log, std::uint64_t octets, std::uint64_t most);

  std::size_t free_count(Log log) const;
  // Of each file no more than so many octets count.
  std::uint64_t free_capacity(Log log, std::uint64_t most = ~std::uint64_t{0}) const;
  std::uint64_t largest() const { return largest_; }
  // Octets of a record that has room in every file of the state log that is made.
  std::uint64_t largest_fact() const { return std::min(smallest_state_file, largest_) - segment_start; }
  // The size for a new file: `wanted`, or less where little space is free.
  std::uint64_t fitting(std::uint64_t wanted) const;

  // Lays claim to `size` octets that are about to be written elsewhere; throws DiskError{ENOSPC} below the
  // reserve. What was claimed counts as used until it is let go, which is once the disk counts it itself.
  class Claim {
   public:
    Claim(Ground& ground, std::uint64_t size);
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
    ~Claim();

   private:
    Ground& ground_;
    std::uint64_t size_;
  };

  // True when less than the reserve is free.
  bool is_low() const { return disk_.free_space() < reserve_; }

 private:
  struct Files {
    std::vector<Site> free;
    std::uint64_t last = 0;  // highest number in a name
  };
  Files& of(Log log) { return log == Log::messages ? messages_ : state_; }
  const Files& of(Log log) const { return log == Log::messages ? messages_ : state_; }
  Site make_site(Log log, std::uint64_t size);
  void discard(const Site& site);
  std::uint64_t remove_first(Log log, std::uint64_t octets, std::uint64_t most);

  disk::Disk& disk_;
  const Bytes reserve_;
  const std::uint64_t largest_;
  mutable std::mutex mutex_;
  Files messages_;
  Files state_;
  std::uint64_t claimed_ = 0;
};

}  // namespace relayd::queue
