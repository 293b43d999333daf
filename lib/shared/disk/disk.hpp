// Disk: the few file operations the queue stands on, so that a test can put a disk under it that forgets,
// tears or fails.
//
// disk::PosixDisk is the real one. Every call may block; failures are a DiskError with errno. Paths are
// relative to the held queue directory. Different threads may call at the same time, also on one File. A
// name is on disk only after sync_directory(), bytes only after sync_data(); neither implies the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
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
  // The same when all of it is in memory; false (buffer undefined) when it would have to wait, or failed.
  virtual bool read_now(std::uint64_t offset, char* buffer, std::size_t size) = 0;
  // Writes all pieces, one after the other, or throws (what reached the disk is then unknown).
  virtual void write_at(std::uint64_t offset, std::span<const std::string_view> pieces) = 0;
  void write_at(std::uint64_t offset, std::string_view bytes) { write_at(offset, std::span(&bytes, 1)); }
  // fdatasync. After a failure the file must not be trusted again: a second call can succeed without the
  // data.
  virtual void sync_data() = 0;
  // Drops what the page cache holds of the file and is clean, so that the next read comes from the disk
  // itself. A request, no more: what cannot be dropped stays, and nothing is reported.
  virtual void forget_cached() = 0;
  // Gives back what the file system set aside behind the end of a file that was growing (XFS: as much again).
  // A request, too.
  virtual void drop_preallocation() {}
  virtual std::uint64_t size() = 0;
  virtual int descriptor() const = 0;  // -1 on a disk that has none
};

class Disk {
 public:
  virtual ~Disk() = default;

  // Opens the directory (made, mode 0700, and its name synced, when only its last part is missing) and locks
  // it until the Disk goes. False: another process has it.
  virtual bool hold(const std::string& directory) = 0;

  virtual std::unique_ptr<File> create(const std::string& path) = 0;  // mode 0600; EEXIST when it is there
  virtual std::unique_ptr<File> open(const std::string& path) = 0;    // to read and write
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;
  // The same for a large file that nobody reads any more: its blocks are given back in small parts, as the
  // syncs of other files wait for each part.
  virtual void discard(const std::string& path) { remove(path); }
  virtual void make_directory(const std::string& path) = 0;            // mode 0700; content when it is there
  virtual void sync_directory(const std::string& path) = 0;            // "." is the held directory
  virtual std::vector<std::string> list(const std::string& path) = 0;  // names, sorted
  virtual Bytes free_space() = 0;                                      // for us, not for root
  virtual bool persistent() = 0;                                       // false: tmpfs or an overlay
};

}  // namespace relayd::disk
