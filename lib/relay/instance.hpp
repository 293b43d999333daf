// Instance mark: what this relay's Received fields have and nobody else's, so that it can count how often a
// message was here.
//
// Random, made once, kept in the file `instance` of the queue's directory: it goes where the queue goes.
#pragma once

#include <string>

#include "shared/disk/disk.hpp"

namespace relayd {

// 16 hexadecimal digits. Blocks (start-up only). Where the file cannot be read or written, a mark of this
// process's life.
std::string instance_mark(disk::Disk& disk);

}  // namespace relayd
