#include "shared/config/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <poll.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "shared/process/user.hpp"

namespace relayd::config {
namespace {

constexpr int longest_wait = 10'000;  // milliseconds

// Waits for the text that comes through a pipe, which a shell may have made (<(...)): perhaps nobody writes
// to it yet.
bool has_more(int fd) {
  pollfd pipe{fd, POLLIN, 0};
  int ready = 0;
  do ready = ::poll(&pipe, 1, longest_wait);
  while (ready < 0 && errno == EINTR);
  return ready > 0;
}

// Appends the content of `fd` up to its end. 0, or an errno (EFBIG: there is more than `limit`).
int read_to_end(int fd, std::size_t limit, std::string& out) {
  for (;;) {
    char buffer[16384];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      if (has_more(fd)) continue;
      return ETIMEDOUT;
    }
    if (got < 0) return errno;
    out.append(buffer, static_cast<std::size_t>(got));
    ::explicit_bzero(buffer, sizeof buffer);  // it may have been a secret
    if (out.size() > limit) return EFBIG;
    if (got == 0) return 0;
  }
}

// Only its own service can enter $CREDENTIALS_DIRECTORY.
bool is_credential(const std::string& path) {
  const char* const folder = std::getenv("CREDENTIALS_DIRECTORY");
  return folder && *folder == '/' && path.starts_with(std::string(folder) + "/");
}

bool is_group_of_ours(gid_t group) {
  std::vector<gid_t> groups(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
  const int count = ::getgroups(static_cast<int>(groups.size()), groups.data());
  groups.resize(static_cast<std::size_t>(std::max(0, count)));
  return group == ::getegid() || std::ranges::find(groups, group) != groups.end();
}

bool is_group_of_keys(gid_t group) {
  const ::group* const keys = ::getgrnam("ssl-cert");
  return keys && keys->gr_gid == group;
}

}  // namespace

bool rights_are_fixed(const std::string& path) {
  struct statvfs mount {};
  return ::statvfs(path.c_str(), &mount) == 0 && (mount.f_flag & ST_RDONLY) != 0;
}

std::string closed_folder(const std::string& path) {
  std::filesystem::path way;
  for (const std::filesystem::path& part : std::filesystem::path(path).parent_path()) {
    way /= part;
    if (::access(way.c_str(), X_OK) != 0 && errno == EACCES) return way.string();
  }
  return {};
}

std::string why_unreadable(const std::string& path, int error) {
  std::string text = fmt::format("cannot read {}", path);
  if (error != EACCES) return text + ": " + std::strerror(error);
  text += fmt::format(" as the user {}: {}", process::this_user().name, std::strerror(error));
  const std::string folder = closed_folder(path);
  if (!folder.empty()) return text + fmt::format(" (it may not enter {})", folder);
  struct stat status {};
  const std::optional<process::User> owner = process::owner_of(path);
  if (!owner || ::stat(path.c_str(), &status) != 0) return text;
  return text + fmt::format(" (mode {:04o}, of {})", status.st_mode & 07777, owner->name);
}

bool others_may_read(const std::string& path, const struct stat& status) {
  if ((status.st_mode & S_IRWXO) != 0) return true;
  if ((status.st_mode & S_IRWXG) == 0 || is_credential(path)) return false;
  const bool only_by_it = ::geteuid() != 0 && status.st_uid != ::geteuid() && is_group_of_ours(status.st_gid);
  return !only_by_it;
}

bool others_may_read_key(const std::string& path, const struct stat& status) {
  const bool by_everybody = (status.st_mode & S_IRWXO) != 0;
  return others_may_read(path, status) && (by_everybody || !is_group_of_keys(status.st_gid));
}

Result<std::string> read_trusted(const std::string& path, std::size_t limit) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode))  // a pipe would make us wait
    return Error{fmt::format("{} is no regular file", path)};
  Result<FileText> file = read_file(path, limit);
  if (!file) return Error{file.error()};
  const mode_t mode = file->status.st_mode;
  if ((mode & (S_IWGRP | S_IWOTH)) != 0 && !rights_are_fixed(path))
    return Error{fmt::format("others may write {} (mode {:04o}): chmod go-w {}", path, mode & 07777, path)};
  return std::move(file->text);
}

Result<FileText> read_file(const std::string& path, std::size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // a pipe without a writer
  if (fd < 0) return Error{why_unreadable(path, errno)};
  FileText result;
  int failure = ::fstat(fd, &result.status) == 0 ? 0 : errno;
  if (failure == 0 && !S_ISREG(result.status.st_mode) && !has_more(fd)) failure = ETIMEDOUT;
  if (failure == 0) failure = read_to_end(fd, limit, result.text);
  ::close(fd);
  if (failure == EFBIG) return Error{fmt::format("{} has more than {} octets", path, limit)};
  if (failure != 0) return Error{fmt::format("cannot read {}: {}", path, std::strerror(failure))};
  return result;
}

}  // namespace relayd::config
