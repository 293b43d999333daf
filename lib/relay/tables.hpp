// What the tables of a configuration hold, read from their files.
//
// Done when a Setup is made, so that a reload reads them again, and one that is broken keeps the old Setup.
#pragma once

#include <memory>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/table/table.hpp"

namespace relayd {

struct TablesResult {
  std::shared_ptr<const table::Tables> tables;  // those that could be read
  std::vector<config::Diagnostic> errors;
};
// Reads every table as a whole and finds all that is wrong in it. Blocks.
TablesResult make_tables(const config::Config& config);

}  // namespace relayd
