#include "shared/config/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace relayd::config {
namespace {

// Appends what `fd` gives until its end. 0, or an errno (EFBIG: there is more than `limit`).
int read_to_end(int fd, std::size_t limit, std::string& out) {
  for (;;) {
    char buffer[16384];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    out.append(buffer, static_cast<std::size_t>(got));
    ::explicit_bzero(buffer, sizeof buffer);  // it may have been a secret
    if (out.size() > limit) return EFBIG;
    if (got == 0) return 0;
  }
}

}  // namespace

Result<FileText> read_file(const std::string& path, std::size_t limit) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return Error{fmt::format("cannot read {}: {}", path, std::strerror(errno))};
  FileText result;
  struct stat status {};
  int failure = ::fstat(fd, &status) == 0 ? 0 : errno;
  if (failure == 0) failure = read_to_end(fd, limit, result.text);
  ::close(fd);
  if (failure == EFBIG) return Error{fmt::format("{} has more than {} octets", path, limit)};
  if (failure != 0) return Error{fmt::format("cannot read {}: {}", path, std::strerror(failure))};
  result.mode = status.st_mode & 07777;
  result.owner = status.st_uid;
  return result;
}

}  // namespace relayd::config
