// CountingDisk: the real disk, and what the queue asked of it: syncs, bytes, and records of each type. On
// demand its syncs take longer, as those of a common disk do.
//
// Owned by a Rig. Forwards every call; the counting takes a few nanoseconds.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "queue/record.hpp"
#include "shared/base/time.hpp"
#include "shared/disk/posix_disk.hpp"

namespace relayd::bench {

struct DiskCounts {
  std::atomic<std::uint64_t> syncs = 0;  // of data and of directories
  std::atomic<std::uint64_t> bytes = 0;  // written, zeroes ahead of the records included
  std::array<std::atomic<std::uint64_t>, 16> records{};

  std::uint64_t of(queue::RecordType type) const { return records[static_cast<std::size_t>(type)]; }
  std::uint64_t all_records() const;
};

class CountingDisk final : public disk::Disk {
 public:
  // Each sync of data takes this much longer.
  explicit CountingDisk(Duration sync_delay) : sync_delay_(sync_delay) {}

  bool hold(const std::string& directory) override { return disk_.hold(directory); }
  std::unique_ptr<disk::File> create(const std::string& path) override;
  std::unique_ptr<disk::File> open(const std::string& path) override;
  void rename(const std::string& from, const std::string& to) override { disk_.rename(from, to); }
  void remove(const std::string& path) override { disk_.remove(path); }
  void discard(const std::string& path) override { disk_.discard(path); }
  void make_directory(const std::string& path) override { disk_.make_directory(path); }
  void sync_directory(const std::string& path) override;
  std::vector<std::string> list(const std::string& path) override { return disk_.list(path); }
  Bytes free_space() override { return disk_.free_space(); }
  bool persistent() override { return disk_.persistent(); }

  const DiskCounts& counts() const { return counts_; }

 private:
  disk::PosixDisk disk_;
  const Duration sync_delay_;
  DiskCounts counts_;
};

}  // namespace relayd::bench
