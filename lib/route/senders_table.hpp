// What `senders_table` says of a sender.
//
// Stands under the router, which asks where no rule of `senders` matches. Pure; the table is in memory.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/table/table.hpp"

namespace relayd::route {

struct SendersRow {
  std::string key;  // the address, it without its +tag, or @domain: the first of them that the table has
  std::string value;
  std::size_t line = 0;  // in the table's file
};
// Nothing: the table has none of the keys. The null sender has no keys.
std::optional<SendersRow> find_row(const table::Table& table, std::string_view sender);

// The upstreams that a value names, "ses" or "ses, mailgun", in their order.
Result<std::vector<std::string>> parse_upstreams(std::string_view value);

}  // namespace relayd::route
