// The texts that a table is made from. Pure: text in, a table or all that is wrong with the text out.
//
// Linear time in the text, but for the sorting of its keys. No value and no key holds a control character but
// a tab. A key that is there twice is a fault, not a choice.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/table/table.hpp"

namespace relayd::table {

// Lines and columns count from 1.
struct Fault {
  std::size_t line = 0;
  std::size_t column = 1;
  std::string text;
};

struct Parsed {
  std::shared_ptr<const Table> table;  // null when there are faults
  std::vector<Fault> faults;           // in the text's order
};

// More than this is a fault: a table is kept in memory.
inline constexpr std::size_t longest_text = 64 << 20;
// What follows is not read: a file of another kind has a fault in every line.
inline constexpr std::size_t most_faults = 100;

// "KEY VALUE", the source of Postfix's texthash and postmap(1): the key ends at the first blank that is
// neither quoted nor behind a backslash, and stays quoted as it is written. Empty lines and those that begin
// with '#' are comments; a line that begins with a blank goes on with the one before.
Parsed parse_texthash(std::string_view text);

// "KEY,VALUE" (RFC 4180); see csv.hpp. A first row of `key,value` is the header and no entry.
Parsed parse_csv(std::string_view text);

// "/PATTERN/ VALUE" in lines as above, as Postfix's regexp_table(5): any delimiter, `!/PATTERN/` for what
// does not match, `if /PATTERN/` to `endif`; the first match wins. In VALUE, $1, ${1} and $(1) stand for what
// a group matched, $$ for a dollar sign. A pattern is RE2's, matches in linear time, and never minds case:
// the flag `i` says so (Postfix's turns that off), and there is no other.
Parsed parse_regexp(std::string_view text);

}  // namespace relayd::table
