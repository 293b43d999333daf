#include "folder.hpp"

#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace relayd::command {

namespace fs = std::filesystem;

Folder::Folder(const std::string& name) {
  std::string path = fs::temp_directory_path() / ("relayd-" + name + "-XXXXXX");
  if (!::mkdtemp(path.data())) throw std::runtime_error("cannot make a temporary folder");
  path_ = path;
}

Folder::~Folder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void Folder::write(const std::string& name, const std::string& text) const {
  std::ofstream file(path_ / name);
  file << text;
  file.close();
  fs::permissions(path_ / name, fs::perms::owner_read | fs::perms::owner_write);
}

}  // namespace relayd::command
