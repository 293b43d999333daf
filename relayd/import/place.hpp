// Where something stands in the files that are imported, and how they are read. Pure: whoever reads files is
// handed in.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"

namespace relayd::importing {

struct Place {
  std::string file;      // as it is shown
  std::size_t line = 0;  // 0: the file as a whole, or what Postfix does where nothing is said
};
std::string to_string(const Place& place);

// The text of a regular file, or why there is none.
using ReadFile = std::function<Result<std::string>(const std::string& path)>;

// The words of a list: blanks and commas stand between them, but not inside braces.
std::vector<std::string> words_of(std::string_view list);

}  // namespace relayd::importing
