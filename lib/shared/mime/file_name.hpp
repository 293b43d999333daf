// The name of a file that a stranger has given it, as it may stand in a folder.
//
// Stands under the reader of messages. Pure.
#pragma once

#include <string>
#include <string_view>

namespace relayd::mime {

inline constexpr std::size_t longest_file_name = 150;  // octets

// What stands behind the last '/' or '\', in UTF-8 without what some system takes for something else than a
// name: controls and marks of direction, <>:"|?* and dots and blanks at either end go; a name of a device of
// Windows gets a '_' in front. What is no UTF-8 becomes '_'. A long one loses its middle, not its ending.
// Empty: there is nothing left.
std::string clean_file_name(std::string_view name);

}  // namespace relayd::mime
