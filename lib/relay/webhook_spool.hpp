// WebhookSpool: what waits on disk for one receiver of webhooks, webhooks/HASH/ in the queue's directory.
//
// Events are lines (tell/webhook.hpp) in numbered files, oldest first; they are synced before append()
// returns. A small file beside them, `cursor`, says how far they were taken, which lines are in the request
// under way, and how the receiver fares; it is written aside. So a request is the same after a crash, and a
// crash repeats one at most. A process appends to files of its own alone: a line that was cut short by a
// crash is the last of its file. Lines that make no sense are passed over.
//
// All calls but those of the counts block, and are made on helper threads, several at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/bytes.hpp"
#include "shared/base/time.hpp"
#include "shared/disk/disk.hpp"
#include "tell/webhook.hpp"

namespace relayd {

inline constexpr const char* webhooks_folder = "webhooks";
// An event that is older is told to nobody.
inline constexpr Duration webhook_keep = std::chrono::hours(24);

class WebhookSpool {
 public:
  // Since when the receiver does not answer as it should.
  struct Trouble {
    unsigned tries = 0;  // that failed in a row; 0: it answers
    WallTime since{};
    WallTime next{};  // try
    std::string failure;
    bool operator==(const Trouble&) const = default;
  };

  // `least_free`: of the disk, which appending leaves to others.
  WebhookSpool(disk::Disk& disk, std::string folder, Bytes least_free = {})
      : disk_(disk), folder_(std::move(folder)), least_free_(least_free) {}

  // Appends whole lines, and has them on disk. So that there are no more octets than `size`, `deferred` ones
  // go, then the oldest. Throws DiskError: none of them counts, and they may be tried again.
  void append(std::string_view lines, Bytes size);

  // The request under way; after one that was taken, or without one, the next. Nothing waits: nothing. What
  // it says is on disk. Throws DiskError; `taken` is then said again, and counts once.
  std::optional<tell::WebhookBatch> next(bool taken, WallTime now);

  // How the receiver fares, over restarts. Both throw DiskError.
  Trouble trouble();
  void note(Trouble trouble);

  // From any thread:
  std::uint64_t waiting() const { return waiting_; }  // octets
  std::uint64_t dropped() const { return dropped_; }  // events that went untold, since the start

 private:
  struct File {
    std::uint64_t number = 0;
    std::uint64_t size = 0;  // octets that are on disk
    bool thinned = false;    // has no `deferred` ones any more
  };
  // How far the first file was taken.
  struct Cursor {
    std::uint64_t file = 0;
    std::uint64_t offset = 0;
    std::uint64_t batch = 0;  // octets of the request under way; 0: none
    Trouble trouble;
  };

  void look();
  void read_cursor();
  void check_cursor();
  void save_cursor();
  void make_directory();
  std::string path_of(std::uint64_t number) const;
  std::string read(std::size_t most);
  bool pass_over(std::string_view& lines, const std::string& oldest);
  void leave_last();
  void leave_first();
  void make_room(std::uint64_t octets, Bytes size);
  void thin(File& file);
  void drop_first();
  void count();

  disk::Disk& disk_;
  const std::string folder_;
  const Bytes least_free_;
  std::mutex mutex_;
  bool looked_ = false;
  std::deque<File> files_;  // by number
  std::uint64_t last_number_ = 0;
  std::unique_ptr<disk::File> current_;  // the last one, where it can be appended to
  Cursor cursor_;
  bool changed_ = false;     // the cursor, since it was written
  bool handed_out_ = false;  // the cursor's batch, by the last next()
  std::atomic<std::uint64_t> waiting_ = 0;
  std::atomic<std::uint64_t> dropped_ = 0;
};

// Removes from the folders in `webhooks_folder` that are not `known` what is too old to be told. Folders
// stay, and so does what cannot be read. Blocks.
void tidy_spools(disk::Disk& disk, const std::vector<std::string>& known, WallTime now);

}  // namespace relayd
