#include "shared/disk/whole_file.hpp"

namespace relayd::disk {

std::string read_whole(Disk& disk, const std::string& name) {
  const std::unique_ptr<File> file = disk.open(name);
  std::string text(file->size(), '\0');
  text.resize(file->read_at(0, text.data(), text.size()));
  return text;
}

void write_whole(Disk& disk, const std::string& name, const std::string& text) {
  const std::string fresh = name + ".new";
  try {
    disk.remove(fresh);  // of a process that was killed here
  } catch (const DiskError& error) {
    if (error.code() != std::errc::no_such_file_or_directory) throw;
  }
  const std::unique_ptr<File> file = disk.create(fresh);
  file->write_at(0, text);
  file->sync_data();
  disk.rename(fresh, name);
  const std::size_t slash = name.rfind('/');
  disk.sync_directory(slash == std::string::npos ? "." : name.substr(0, slash));
}

}  // namespace relayd::disk
