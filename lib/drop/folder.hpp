// Folder: the drop folder as the relay sees it: a directory in which anybody may have put anything.
//
// Stands beside the path of a message; relay::Collector owns one. Holds the directory open and never follows
// a path out of it. It looks at files, not into them. Every call blocks: not for the loop.
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "shared/base/bytes.hpp"
#include "shared/base/result.hpp"
#include "shared/base/time.hpp"
#include "shared/disk/posix_disk.hpp"

namespace relayd::drop {

struct File {
  disk::Descriptor descriptor;
  std::uint64_t size = 0;
  uid_t owner = 0;
};

// Of a file, by its name.
enum class Kind { begun, waiting, set_aside };

// Some of what waits.
struct Listing {
  std::vector<std::string> names;
  bool whole = true;  // nothing that waits was left out
  uid_t next = 0;     // the owner to begin with the next time, so that each is in one of the listings
};

// What an owner may have of each kind.
struct Allowance {
  std::size_t files = 10'000;
  Bytes octets = 1_GiB;  // on the disk
};

// What an owner has above it.
struct Excess {
  uid_t owner = 0;
  std::vector<std::string> names;
};

class Folder {
 public:
  // Throws std::system_error, also where the folder is another user's: nothing taken could be removed then.
  explicit Folder(const std::string& directory);

  // Why its users may take or read each other's mail, by the directory's owner and mode; empty: they may not.
  std::string weakness() const;

  // What waits: the names of whole files, and of whatever else somebody put there, without those to `skip`;
  // at most `limit` of them. Owners take turns, beginning with `first`; of each the oldest come first. Throws
  // std::system_error.
  using Skip = std::function<bool(const std::string&)>;
  Listing list(std::size_t limit, const Skip& skip = nullptr, uid_t first = 0) const;

  // Opens one that may be collected: a regular file with one name, of at most `limit` octets. Otherwise says
  // what is wrong with it; it may be gone. Throws std::system_error when the system cannot, as with no
  // descriptor left.
  Result<File> open(const std::string& name, Bytes limit) const;

  // Removes those of a kind that are older than this moment; of very many a part. A file is as old as its
  // last change, as the system counts it (st_ctime), not as its owner says. A directory with something in it
  // stays. Returns the names. Throws std::system_error.
  std::vector<std::string> remove_old(Kind kind, WallTime before) const;

  // Of the first owner behind `after` who has more files of this kind than he may, the oldest by their names,
  // so that the others are within the allowance; of very many a part. Root comes before all and may have any
  // number. A directory counts for nothing: what is in it is not known. Throws std::system_error.
  std::optional<Excess> excess(Kind kind, const Allowance& allowance, uid_t after = 0) const;
  // Returns how many of them could be removed. They may come back after a crash. Throws std::system_error.
  std::size_t remove_all(const std::vector<std::string>& names) const;

  // Removes a file, durably. It may be gone already. False: a directory has its name now, and stays. Throws
  // std::system_error.
  bool remove(const std::string& name) const;
  // Keeps it in the folder as refused, under the name that is returned; empty: it was gone. Throws
  // std::system_error.
  std::string set_aside(const std::string& name) const;

 private:
  using Visit = std::function<void(const std::string& name)>;
  void each(const Visit& visit) const;
  bool look_at(const std::string& name, struct stat& status) const;
  using VisitFile = std::function<void(const std::string& name, const struct stat& status)>;
  void each_file(Kind kind, const VisitFile& visit) const;
  bool unlink(const std::string& name, const struct stat& status) const;

  disk::Descriptor directory_;
};

// For everybody to write and nobody else to read. Sticky, so that nobody removes another's file;
// set-group-ID, so that the daemon's group may read each.
inline constexpr mode_t folder_mode = S_ISVTX | S_ISGID | 0733;
// Makes the folder. Throws std::system_error.
void make_folder(const std::string& directory);

}  // namespace relayd::drop
