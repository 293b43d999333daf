// FileStamps: how files are at a moment, so that a change shows without reading them.
//
// Taken before files are read and compared later. Looks at the disk and may block; opens no file.
#pragma once

#include <map>
#include <set>
#include <string>

namespace relayd::disk {

// Path and stamp. Of two maps with the same paths, those whose stamps differ have changed.
using FileStamps = std::map<std::string, std::string>;

// Which file the path leads to, its size, and when its content or its owner and rights changed; or why there
// is none. Follows links.
std::string file_stamp(const std::string& path);
// Whether it is that of a file with nothing in it.
bool is_empty(const std::string& stamp);

// Directories without links in their paths, and the names in them that matter.
using Places = std::map<std::string, std::set<std::string>>;

// Adds each place where a change would lead the path elsewhere: that of the file, those of the links on the
// way to it, and where the way ends, that of what is missing.
void add_places(const std::string& path, Places& places);

}  // namespace relayd::disk
