// A small file, whole. May block; private to this room.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <string>

#include "shared/base/result.hpp"

namespace relayd::config {

struct FileText {
  std::string text;
  mode_t mode = 0;  // permission bits
  uid_t owner = 0;
};

// Fails with the system's reason, or when there is more than `limit` octets.
Result<FileText> read_file(const std::string& path, std::size_t limit);

}  // namespace relayd::config
