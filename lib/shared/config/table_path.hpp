// The file that a table is read from.
#pragma once

#include <string>

#include "shared/config/config.hpp"

namespace relayd::config {

inline const std::string& path_of(const Table& table) {
  return table.regexp.empty() ? table.file : table.regexp;
}

}  // namespace relayd::config
