// Writer: puts one message into the drop folder, for the relay to collect when it runs.
//
// Stands beside the path of a message: `relayd sendmail` writes here when no daemon takes its mail, and
// relay::Collector reads. Needs no privilege but to make files in the folder. What a file holds is in
// batch.hpp.
#pragma once

#include <string>
#include <string_view>

#include "shared/disk/posix_disk.hpp"

namespace relayd::drop {

class Writer {
 public:
  // Begins a file under a name that is not collected. Blocks, as all do here. Throws std::system_error: there
  // is no such folder, or we may not write there.
  explicit Writer(const std::string& directory);
  // Removes what was not committed.
  ~Writer();
  Writer(Writer&&) noexcept = default;

  void write(std::string_view bytes);  // throws std::system_error
  // Makes file and name durable, under the name by which it is collected. Throws std::system_error; the file
  // is gone then.
  void commit();

 private:
  disk::Descriptor directory_;
  disk::Descriptor file_;
  std::string name_;
};

}  // namespace relayd::drop
