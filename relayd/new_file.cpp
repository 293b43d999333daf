#include "new_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace relayd::command {

namespace {

// All of it and on disk; else an errno.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno != EINTR) return errno;
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(fd) == 0 ? 0 : errno;
}

}  // namespace

std::string write_new_file(const std::string& path, std::string_view text, mode_t mode,
                           std::optional<uid_t> owner) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return fmt::format("cannot make {}: {}", path, std::strerror(errno));
  int failure = write_all(fd, text);
  if (failure == 0 && ::fchmod(fd, mode) != 0) failure = errno;
  if (failure == 0 && owner && ::fchown(fd, *owner, static_cast<gid_t>(-1)) != 0) failure = errno;
  if (::close(fd) != 0 && failure == 0) failure = errno;
  if (failure == 0) return {};
  ::unlink(path.c_str());
  return fmt::format("cannot write {}: {}", path, std::strerror(failure));
}

}  // namespace relayd::command
