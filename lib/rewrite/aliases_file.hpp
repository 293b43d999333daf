// A file of aliases in the syntax of aliases(5), as /etc/aliases has it.
//
// Read when a configuration is loaded, and checked as a whole: what relayd cannot do is an error with its
// line. Pure: whoever reads files is handed in. Linear time.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "rewrite/aliases.hpp"
#include "shared/base/result.hpp"

namespace relayd::rewrite {

// Where something stands: a file and a line of it, from 1; 0: the file as a whole.
struct FilePlace {
  std::string file;
  std::size_t line = 0;
};

struct AliasesFile {
  struct Entry {
    Alias alias;
    FilePlace where;
  };
  struct Fault {
    FilePlace where;
    std::string text;
  };
  std::vector<Entry> entries;  // in the file's order, the targets of `:include:` among them
  std::vector<Fault> faults;   // empty: it can be used
};

// The text of a file that `:include:` names by its absolute path, or why there is none.
using ReadFile = std::function<Result<std::string>(const std::string& path)>;

// Names are local: "NAME: TARGET, TARGET". A line that begins with a blank goes on with the one before; '#'
// begins a comment where it is the first character. `file` stands for the file in places.
AliasesFile parse_aliases_file(std::string_view text, const std::string& file, const ReadFile& read_file);

// The targets that a value of a table names, as virtual(5) has it: addresses, names and @DOMAIN, with commas
// between them. Whether each of them is one, Aliases says.
Result<std::vector<std::string>> parse_targets(std::string_view list);

}  // namespace relayd::rewrite
