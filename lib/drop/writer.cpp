#include "drop/writer.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

#include "drop/name.hpp"

namespace relayd::drop {

namespace {

// The daemon reads it by the folder's group, others not at all.
constexpr mode_t file_mode = 0640;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Its users may not read the folder, and what cannot be opened to read cannot be synced alone.
void sync_name(int directory, int file) {
  const disk::Descriptor readable(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const int result = readable.number() >= 0 ? ::fsync(readable.number()) : ::syncfs(file);
  if (result != 0) fail("sync the drop folder");
}

}  // namespace

Writer::Writer(const std::string& directory)
    : directory_(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)), name_(make_name(wall_now())) {
  if (directory_.number() < 0) fail(directory);
  const std::string path = std::string(unfinished) + name_;
  file_ = disk::Descriptor(::openat(directory_.number(), path.c_str(),
                                    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file_.number() < 0) fail(directory);
  if (::fchmod(file_.number(), file_mode) != 0) fail(directory);  // whatever the umask is
}

Writer::~Writer() {
  if (file_.number() >= 0) ::unlinkat(directory_.number(), (std::string(unfinished) + name_).c_str(), 0);
}

void Writer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.number(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write to the drop folder");
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void Writer::commit() {
  if (::fsync(file_.number()) != 0) fail("sync a file in the drop folder");
  const std::string before = std::string(unfinished) + name_;
  const int directory = directory_.number();
  if (::renameat2(directory, before.c_str(), directory, name_.c_str(), RENAME_NOREPLACE) != 0)
    fail("rename in the drop folder");
  const disk::Descriptor file = std::move(file_);
  try {
    sync_name(directory, file.number());
  } catch (const std::system_error&) {
    ::unlinkat(directory, name_.c_str(), 0);
    throw;
  }
}

}  // namespace relayd::drop
