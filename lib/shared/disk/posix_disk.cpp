#include "shared/disk/posix_disk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <utility>

namespace relayd::disk {
namespace {

[[noreturn]] void fail(const std::string& what, int error = errno) {
  throw DiskError(error, std::generic_category(), what);
}

class PosixFile final : public File {
 public:
  PosixFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  std::size_t read_at(std::uint64_t offset, char* buffer, std::size_t size) override {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got =
          ::pread(descriptor_.number(), buffer + done, size - done, static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) fail("read " + path_);
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  bool read_now(std::uint64_t offset, char* buffer, std::size_t size) override {
    const iovec piece{buffer, size};
    const ssize_t got = ::preadv2(descriptor_.number(), &piece, 1, static_cast<off_t>(offset), RWF_NOWAIT);
    return got >= 0 && static_cast<std::size_t>(got) == size;
  }

  void write_at(std::uint64_t offset, std::span<const std::string_view> pieces) override;

  void sync_data() override {
    // Not again after EINTR or anything else: the kernel may have forgotten the failed pages.
    if (::fdatasync(descriptor_.number()) != 0) fail("sync " + path_);
  }

  void forget_cached() override {
    static_cast<void>(::posix_fadvise(descriptor_.number(), 0, 0, POSIX_FADV_DONTNEED));
  }

  void drop_preallocation() override {
    static_cast<void>(::ftruncate(descriptor_.number(), static_cast<off_t>(size())));
  }

  std::uint64_t size() override {
    struct stat status {};
    if (::fstat(descriptor_.number(), &status) != 0) fail("stat " + path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  int descriptor() const override { return descriptor_.number(); }

 private:
  Descriptor descriptor_;
  std::string path_;
};

// Drops the first `count` bytes of the pieces from `first` on; returns the new first piece.
std::size_t advance(std::vector<iovec>& pieces, std::size_t first, std::size_t count) {
  while (first < pieces.size() && count >= pieces[first].iov_len) count -= pieces[first++].iov_len;
  if (count > 0) {
    pieces[first].iov_base = static_cast<char*>(pieces[first].iov_base) + count;
    pieces[first].iov_len -= count;
  }
  return first;
}

void PosixFile::write_at(std::uint64_t offset, std::span<const std::string_view> pieces) {
  std::vector<iovec> vector;
  vector.reserve(pieces.size());
  for (const std::string_view piece : pieces)
    if (!piece.empty()) vector.push_back({const_cast<char*>(piece.data()), piece.size()});
  std::size_t first = 0;
  while (first < vector.size()) {
    const int count = static_cast<int>(std::min<std::size_t>(vector.size() - first, IOV_MAX));
    const ssize_t written =
        ::pwritev(descriptor_.number(), vector.data() + first, count, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write " + path_);
    if (written == 0) fail("write " + path_, EIO);
    offset += static_cast<std::uint64_t>(written);
    first = advance(vector, first, static_cast<std::size_t>(written));
  }
}

// Of a directory that may be new: a power cut would take it with all that is in it.
void keep_name_of(const Descriptor& directory) {
  const Descriptor parent(::openat(directory.number(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // Its user need not be allowed to read the one above it.
  if ((parent.number() >= 0 ? ::fsync(parent.number()) : ::syncfs(directory.number())) != 0)
    fail("sync the directory's name");
}

Descriptor open_at(const Descriptor& directory, const std::string& path, int flags) {
  Descriptor opened(::openat(directory.number(), path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (opened.number() < 0) fail("open " + path);
  return opened;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this == &other) return *this;
  if (number_ >= 0) ::close(number_);
  number_ = other.release();
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

int Descriptor::release() {
  return std::exchange(number_, -1);
}

bool PosixDisk::hold(const std::string& directory) {
  lock_ = Descriptor();
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) fail("make directory " + directory);
  // The directory itself may be a link that its operator made; nothing inside it may.
  directory_ = Descriptor(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory_.number() < 0) fail("open " + directory);
  // Where it is there it can be had without an inode.
  const bool there = ::faccessat(directory_.number(), "lock", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
  if (!there) keep_name_of(directory_);
  lock_ = open_at(directory_, "lock", there ? O_RDWR : O_RDWR | O_CREAT);
  if (::flock(lock_.number(), LOCK_EX | LOCK_NB) == 0) return true;
  if (errno != EWOULDBLOCK) fail("lock " + directory);
  return false;
}

std::unique_ptr<File> PosixDisk::create(const std::string& path) {
  return std::make_unique<PosixFile>(open_at(directory_, path, O_RDWR | O_CREAT | O_EXCL), path);
}

std::unique_ptr<File> PosixDisk::open(const std::string& path) {
  return std::make_unique<PosixFile>(open_at(directory_, path, O_RDWR), path);
}

void PosixDisk::rename(const std::string& from, const std::string& to) {
  if (::renameat(directory_.number(), from.c_str(), directory_.number(), to.c_str()) != 0)
    fail("rename " + from + " to " + to);
}

void PosixDisk::remove(const std::string& path) {
  if (::unlinkat(directory_.number(), path.c_str(), 0) != 0) fail("remove " + path);
}

void PosixDisk::discard(const std::string& path) {
  constexpr std::uint64_t part = 2 << 20;
  const Descriptor file(::openat(directory_.number(), path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  std::uint64_t size = ::fstat(file.number(), &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
  remove(path);
  while (size > 0) {
    size -= std::min(size, part);
    if (::ftruncate(file.number(), static_cast<off_t>(size)) != 0) return;  // it goes with its last user
  }
}

void PosixDisk::make_directory(const std::string& path) {
  if (::mkdirat(directory_.number(), path.c_str(), 0700) != 0 && errno != EEXIST)
    fail("make directory " + path);
}

void PosixDisk::sync_directory(const std::string& path) {
  const Descriptor opened = open_at(directory_, path, O_RDONLY | O_DIRECTORY);
  if (::fsync(opened.number()) != 0) fail("sync directory " + path);
}

std::vector<std::string> PosixDisk::list(const std::string& path) {
  Descriptor opened = open_at(directory_, path, O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(opened.number()), &::closedir);
  if (!stream) fail("list " + path);
  opened.release();  // the stream's now
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (!entry && errno != 0) fail("list " + path);
    if (!entry) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

Bytes PosixDisk::free_space() {
  struct statvfs space {};
  if (::fstatvfs(directory_.number(), &space) != 0) fail("ask for the free space");
  return {static_cast<std::uint64_t>(space.f_bavail) * space.f_frsize};
}

bool PosixDisk::persistent() {
  struct statfs kind {};
  if (::fstatfs(directory_.number(), &kind) != 0) fail("ask for the kind of file system");
  return kind.f_type != TMPFS_MAGIC && kind.f_type != RAMFS_MAGIC && kind.f_type != OVERLAYFS_SUPER_MAGIC;
}

}  // namespace relayd::disk
