#include "queue/quarantine.hpp"

#include <algorithm>
#include <memory>
#include <vector>

namespace relayd::queue {

void set_aside(disk::Disk& disk, const std::string& name, std::string_view bytes) {
  const std::string path = "quarantine/" + name;
  const std::vector<std::string> there = disk.list("quarantine");
  // Of a start before, which may have been cut short in the middle of it.
  if (std::find(there.begin(), there.end(), name) != there.end()) disk.remove(path);
  const std::unique_ptr<disk::File> file = disk.create(path);
  file->write_at(0, bytes);
  file->sync_data();
  disk.sync_directory("quarantine");
}

}  // namespace relayd::queue
