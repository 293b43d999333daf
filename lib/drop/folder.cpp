#include "drop/folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <system_error>

#include "drop/name.hpp"

namespace relayd::drop {

namespace {

// Sticky, so that nobody removes another's file; set-group-ID, so that the daemon's group may read each.
constexpr mode_t folder_mode = S_ISVTX | S_ISGID | 0733;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

WallTime changed(const struct stat& status) {
  return WallTime(std::chrono::seconds(status.st_mtim.tv_sec));
}

}  // namespace

Folder::Folder(const std::string& directory)
    : directory_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) {
  if (directory_.number() < 0) fail(directory);
}

std::string Folder::weakness() const {
  struct stat status {};
  if (::fstat(directory_.number(), &status) != 0) return {};
  const mode_t mode = status.st_mode & 07777;
  const bool shared = (mode & (S_IWGRP | S_IWOTH)) != 0;
  if (shared && (mode & S_ISVTX) == 0)
    return fmt::format("its mode {:o} lets its users remove each other's mail: make it 3733 or 3730", mode);
  if ((mode & S_IROTH) != 0)
    return fmt::format("its mode {:o} lets everybody list it: make it 3733 or 3730", mode);
  return {};
}

std::vector<std::string> Folder::list() const {
  const int copy = ::openat(directory_.number(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) fail("open the drop folder");
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(copy), ::closedir);
  std::vector<std::string> found;
  while (const dirent* entry = ::readdir(listing.get())) found.emplace_back(entry->d_name);
  return found;
}

std::vector<std::string> Folder::names(std::size_t limit) const {
  std::vector<std::string> found = list();
  std::erase_if(found, [](const std::string& name) {
    return name == "." || name == ".." || name.starts_with(unfinished) || name.starts_with(refused);
  });
  std::ranges::sort(found);
  if (found.size() > limit) found.resize(limit);
  return found;
}

std::vector<std::string> Folder::remove_unfinished(WallTime before) const {
  std::vector<std::string> removed;
  for (const std::string& name : list()) {
    struct stat status {};
    const bool stale = name.starts_with(unfinished) &&
                       ::fstatat(directory_.number(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 &&
                       !S_ISDIR(status.st_mode) && changed(status) < before;
    if (!stale) continue;
    if (::unlinkat(directory_.number(), name.c_str(), 0) == 0)
      removed.push_back(name);
    else if (errno != ENOENT)
      fail("remove an unfinished file of the drop folder");
  }
  return removed;
}

Result<File> Folder::open(const std::string& name, Bytes limit) const {
  if (!is_name(name)) return Error{"no file of the drop folder has such a name"};
  File file;
  // Without O_NONBLOCK a FIFO would hold us until somebody writes.
  file.descriptor = disk::Descriptor(
      ::openat(directory_.number(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (file.descriptor.number() < 0) {
    if (errno == ELOOP) return Error{"it is a symbolic link"};
    if (errno == EACCES) return Error{"it may not be read: the folder's group is not its group"};
    if (errno == ENXIO || errno == ENODEV) return Error{"it is no regular file"};
    fail("open a file of the drop folder");
  }
  struct stat status {};
  if (::fstat(file.descriptor.number(), &status) != 0) fail("look at a file of the drop folder");
  if (!S_ISREG(status.st_mode)) return Error{"it is no regular file"};
  if (status.st_nlink != 1) return Error{"it has another name elsewhere"};
  file.size = static_cast<std::uint64_t>(status.st_size);
  file.owner = status.st_uid;
  if (file.size > limit.count)
    return Error{fmt::format("it has {} octets, at most {} are taken", file.size, limit.count)};
  return file;
}

void Folder::remove(const std::string& name) const {
  if (::unlinkat(directory_.number(), name.c_str(), 0) != 0 && errno != ENOENT)
    fail("remove a file of the drop folder");
  // Not durable yet, it would come back with a crash and be sent twice.
  if (::fsync(directory_.number()) != 0) fail("sync the drop folder");
}

std::string Folder::set_aside(const std::string& name) const {
  std::string aside = std::string(refused) + make_name(wall_now());
  const int directory = directory_.number();
  if (::renameat2(directory, name.c_str(), directory, aside.c_str(), RENAME_NOREPLACE) != 0)
    fail("set a file of the drop folder aside");
  return aside;
}

void make_folder(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0) fail(directory);
  if (::chmod(directory.c_str(), folder_mode) != 0) fail(directory);
}

}  // namespace relayd::drop
