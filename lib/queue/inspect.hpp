// inspect(): what the next start would find unsound in a queue, without changing a byte of it.
//
// For the operator, while no process has the queue. Blocks. Knows no loop, no journal thread.
#pragma once

#include <optional>
#include <string>

#include "queue/queue.hpp"
#include "shared/disk/disk.hpp"

namespace relayd::queue {

// Holds the queue in `directory` and reads it as open() would. Nothing: another process has it. The lines of
// `set_aside` say what the next start will do. Throws DiskError, and QueueError{broken} for a journal of a
// newer version.
std::optional<Recovery> inspect(disk::Disk& disk, const std::string& directory);

}  // namespace relayd::queue
