// Disk: the few file operations the queue stands on, so that a test can put a disk under it that forgets,
// tears or fails.
//
// disk::PosixDisk is the real one. Every call may block; failures are a DiskError with errno. Paths are
// relative to the held queue directory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "shared/base/bytes.hpp"

namespace relayd::disk {

using DiskError = std::system_error;

class File {
 public:
  virtual ~File() = default;
  // Reads up to `size` at `offset`; fewer only at the end of the file.
  virtual std::size_t read_at(std::uint64_t offset, char* buffer, std::size_t size) = 0;
  // Writes all of it, or throws (what reached the disk is then unknown).
  virtual void write_at(std::uint64_t offset, std::string_view bytes) = 0;
  virtual void sync_data() = 0;  // fdatasync
  virtual std::uint64_t size() = 0;
  virtual int descriptor() const = 0;  // -1 on a disk that has none
};

}  // namespace relayd::disk
