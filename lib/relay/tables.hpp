// What the tables of a configuration hold, read from their files.
//
// Done when a Setup is made, so that a reload reads them again, and one that is broken keeps the old Setup.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
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

// Where a line of a table stands.
struct TablePlace {
  std::string file;
  config::Location where;
};
TablePlace place_in_table(const config::Config& config, std::string_view table, std::size_t line);
// The same of the row that a key falls under.
TablePlace place_of_key(const config::Config& config, const table::Tables& tables, std::string_view table,
                        std::string_view key);

// What `access`, `bcc` and `senders_table` cannot use of the values in their tables: as far as they are known
// before a key is asked for. Those of aliases are found by make_aliases().
std::vector<config::Diagnostic> check_values(const config::Config& config, const table::Tables& tables);

}  // namespace relayd
