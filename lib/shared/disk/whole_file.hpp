// Small files that are read and written as a whole.
//
// Beside the path; what the relay keeps beside the queue. After a crash a file has its old text or its new
// one. Both calls block.
#pragma once

#include <string>

#include "shared/disk/disk.hpp"

namespace relayd::disk {

// Throws DiskError; ENOENT where there is none.
std::string read_whole(Disk& disk, const std::string& name);

// Writes NAME.new and renames it. Throws DiskError; then the file has its old text, or its new one already.
void write_whole(Disk& disk, const std::string& name, const std::string& text);

}  // namespace relayd::disk
