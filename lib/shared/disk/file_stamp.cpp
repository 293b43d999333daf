#include "shared/disk/file_stamp.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <deque>
#include <filesystem>
#include <system_error>

namespace relayd::disk {

namespace fs = std::filesystem;

namespace {

constexpr int most_links = 40;  // as the kernel has it

// Puts the parts of a path before those that are there.
void put_before(std::deque<std::string>& parts, const fs::path& path) {
  auto at = parts.begin();
  for (const fs::path& part : path) {
    if (part == "/" || part == "." || part.empty()) continue;
    at = std::next(parts.insert(at, part.string()));
  }
}

}  // namespace

std::string file_stamp(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fmt::format("error {}", errno);
  return fmt::format("{}:{} {} {}.{:09} {}.{:09}", status.st_dev, status.st_ino, status.st_size,
                     status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                     status.st_ctim.tv_nsec);
}

bool is_empty(const std::string& stamp) {
  return stamp.find(" 0 ") != std::string::npos;
}

void add_places(const std::string& path, Places& places) {
  std::error_code failure;
  std::deque<std::string> parts;
  put_before(parts, fs::absolute(path, failure));
  fs::path folder = "/";
  for (int links = 0; !parts.empty() && links <= most_links;) {
    const std::string name = parts.front();
    parts.pop_front();
    if (name == "..") {
      folder = folder.parent_path();
      continue;
    }
    const fs::path here = folder / name;
    const fs::file_status status = fs::symlink_status(here, failure);
    if (fs::is_directory(status)) {
      folder = here;
      continue;
    }
    places[folder.string()].insert(name);
    if (!fs::is_symlink(status)) return;
    ++links;
    const fs::path target = fs::read_symlink(here, failure);
    if (failure) return;
    if (target.is_absolute()) folder = "/";
    put_before(parts, target);
  }
}

}  // namespace relayd::disk
