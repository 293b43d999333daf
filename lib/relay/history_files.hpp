// HistoryFiles: the files of the history, history/NUMBER-SECONDS.jsonl in the queue's directory.
//
// Owned by the HistoryBook, which calls it on a helper thread, one call at a time. Lines are appended to the
// file with the highest number, and never synced: what a power cut takes of them was not promised. Its name
// says when a file was begun. A file ends when it is a sixteenth of what may be kept, in size or in age; the
// oldest goes when all of them are too large together, or when all in it is too old.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/bytes.hpp"
#include "shared/base/time.hpp"
#include "shared/config/config.hpp"
#include "shared/disk/disk.hpp"

namespace relayd {

inline constexpr const char* history_folder = "history";
inline constexpr const char* history_key = "history/key";

// One file, as its name tells.
struct HistoryFile {
  std::uint64_t number = 0;
  WallTime begun{};
  std::string name() const;
  bool operator==(const HistoryFile&) const = default;
};
// Those among the names of a folder, oldest first.
std::vector<HistoryFile> history_files(const std::vector<std::string>& names);

class HistoryFiles {
 public:
  struct Limits {
    config::History keep;
    Bytes reserve;  // with less than that free on the disk, the history does not grow
  };

  explicit HistoryFiles(disk::Disk& disk) : disk_(disk) {}

  struct Written {
    std::size_t octets = 0;  // of the lines, from their beginning
    std::string failure;     // empty: all are written
  };
  // Appends whole lines. After a failure the rest may be tried again: it then comes to the same place.
  Written append(std::string_view lines, const Limits& limits, WallTime now);
  // Removes what is too old or too much. Throws DiskError.
  void trim(const Limits& limits, WallTime now);

 private:
  struct Known {
    HistoryFile file;
    std::uint64_t size = 0;
  };

  void look();
  void write_some(std::string_view& lines, const Limits& limits, WallTime now);
  std::unique_ptr<disk::File> current(const Limits& limits, WallTime now);
  void begin_file(WallTime now);
  void remove_oldest();
  void make_room(std::uint64_t octets, const Limits& limits);
  void remove_old(const Limits& limits, WallTime now);

  disk::Disk& disk_;
  bool looked_ = false;
  std::deque<Known> files_;  // the last is written to
  std::uint64_t total_ = 0;  // octets of all
  std::uint64_t last_number_ = 0;
  bool ended_ = false;                    // the last file ends with a line's end
  std::optional<std::uint64_t> ceiling_;  // of `total_`, while the disk has little room
};

}  // namespace relayd
