// Captured: the messages that the sandbox upstreams have kept (send/sandbox.hpp), as they lie on disk.
//
// Beside the path; asked by the CapturedDesk, on a helper thread: all of it blocks. Nothing is opened but
// files with a name that a sandbox gives, which are no links. Memory is bounded, whatever lies in a
// directory.
#pragma once

#include <dirent.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/time.hpp"
#include "shared/disk/posix_disk.hpp"

namespace relayd::watch {

// Where a sandbox keeps its messages.
struct CapturedPlace {
  std::string upstream;
  std::string directory;
};

// What the files of a message are called, without their endings: "1j0m1q185e7", or "1j0m1q185e7-2" of a
// message that came in parts. A later one is greater.
struct CapturedName {
  std::string id;
  unsigned part = 1;
  auto operator<=>(const CapturedName&) const = default;
};
std::optional<CapturedName> captured_name(std::string_view text);
std::string to_string(const CapturedName& name);

struct CapturedQuestion {
  std::string upstream = {};  // of this one; empty: of all
  std::string query = {};   // has this in an address, its subject or its id, in any case of ASCII; empty: any
  std::string after = {};   // older than this "UPSTREAM/NAME", which the end of a list names
  std::size_t limit = 100;  // at most
};

// So many are looked at for one list; the next goes on behind them.
inline constexpr std::size_t most_examined = 1000;

// A line of JSON for each message, the newest first, and for each directory that cannot be read, and one at
// the end:
// {"end": true, "count", "more"}, with "more" also "after".
std::string list_captured(const std::vector<CapturedPlace>& places, const CapturedQuestion& question);

// One message.
struct CapturedMessage {
  disk::Descriptor file;  // of the message
  std::uint64_t size = 0;
  WallTime kept{};
  std::string envelope;  // as the sandbox has written it
};
// Nothing: it is not there.
std::optional<CapturedMessage> open_captured(const std::string& directory, const CapturedName& name);

// Octets of a file from an offset on; fewer than `most` at its end, or where it cannot be read.
std::string read_piece(const disk::Descriptor& file, std::uint64_t offset, std::size_t most);

// Removes the messages that lie in a directory: step by step, so that no helper thread is held up for long.
class CapturedRemoval {
 public:
  explicit CapturedRemoval(const std::string& directory);

  // False: it has come to the end of the directory.
  bool step();
  std::size_t removed() const { return removed_; }     // messages
  const std::string& fault() const { return fault_; }  // the first; empty: none

 private:
  struct Close {
    void operator()(DIR* directory) const { ::closedir(directory); }
  };
  void remove(const CapturedName& name);

  std::unique_ptr<DIR, Close> directory_;
  std::size_t removed_ = 0;
  std::string fault_;
};

}  // namespace relayd::watch
