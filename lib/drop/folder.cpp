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
#include <iterator>
#include <map>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

#include "drop/name.hpp"

namespace relayd::drop {

namespace {

constexpr uid_t root = 0;

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

WallTime changed(const struct stat& status) {
  return WallTime(std::chrono::seconds(status.st_ctim.tv_sec));
}

constexpr auto nobody = static_cast<uid_t>(-1);
constexpr std::size_t removed_at_once = 1'000;
constexpr std::size_t excess_at_once = 10'000;

Kind kind_of(std::string_view name) {
  return name.starts_with(unfinished) ? Kind::begun
         : name.starts_with(refused)  ? Kind::set_aside
                                      : Kind::waiting;
}

// What files take up, which is not what their lengths say.
struct Space {
  std::size_t files = 0;
  std::uint64_t octets = 0;

  bool exceeds(const Allowance& allowance) const {
    return files > allowance.files || octets > allowance.octets.count;
  }
};

std::uint64_t octets_of(const struct stat& status) {
  constexpr std::uint64_t block = 512;  // whatever st_blksize says
  return static_cast<std::uint64_t>(status.st_blocks) * block;
}

// Names of many owners, of which few are kept: of each owner the oldest, as many as of the next. The owners
// stand in the order of their numbers, from `first` on and then from 0; where there are more owners than
// names are wanted, the last ones are left out.
class FairList {
 public:
  FairList(std::size_t limit, uid_t first) : limit_(limit), first_(first), share_(limit) {}

  void add(uid_t owner, const std::string& name) {
    std::set<std::string>& names = owners_[owner - first_];
    total_ += names.insert(name).second ? 1 : 0;
    trim(names);
    while (total_ > limit_ && share_ > 1) {
      share_ /= 2;
      for (auto& [other, others] : owners_) trim(others);
    }
    if (total_ <= limit_) return;
    owners_.erase(std::prev(owners_.end()));  // it has one name
    --total_;
    whole_ = false;
  }

  Listing take() {
    Listing listing{{}, whole_, owners_.empty() ? first_ : first_ + owners_.rbegin()->first + 1};
    while (!owners_.empty()) {
      for (auto& [owner, names] : owners_)
        if (!names.empty()) listing.names.push_back(std::move(names.extract(names.begin()).value()));
      std::erase_if(owners_, [](const auto& entry) { return entry.second.empty(); });
    }
    return listing;
  }

 private:
  void trim(std::set<std::string>& names) {
    for (; names.size() > share_; --total_) {
      names.erase(std::prev(names.end()));
      whole_ = false;
    }
  }

  std::size_t limit_;
  uid_t first_;
  std::size_t share_;  // of each owner
  std::size_t total_ = 0;
  bool whole_ = true;                              // nothing was left out
  std::map<uid_t, std::set<std::string>> owners_;  // by their distance from the first
};

}  // namespace

Folder::Folder(const std::string& directory)
    : directory_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) {
  struct stat status {};
  if (directory_.number() < 0 || ::fstat(directory_.number(), &status) != 0) fail(directory);
  const uid_t us = ::geteuid();
  if (us == root || status.st_uid == us) return;
  errno = EPERM;
  fail(fmt::format(
      "{} is owned by uid {}: what was taken could not be removed; make it that of relayd, uid {}", directory,
      status.st_uid, us));
}

std::string Folder::weakness() const {
  struct stat status {};
  if (::fstat(directory_.number(), &status) != 0) return {};
  const mode_t mode = status.st_mode & 07777;
  if (status.st_uid != ::geteuid())
    return fmt::format("its owner, uid {}, may take its users' mail away: make it root's", status.st_uid);
  const bool shared = (mode & (S_IWGRP | S_IWOTH)) != 0;
  if (shared && (mode & S_ISVTX) == 0)
    return fmt::format("its mode {:o} lets its users remove each other's mail: make it 3733 or 3730", mode);
  if ((mode & S_IROTH) != 0)
    return fmt::format("its mode {:o} lets everybody list it: make it 3733 or 3730", mode);
  if (shared && (mode & S_ISGID) == 0 && ::geteuid() != root)
    return fmt::format("its mode {:o} leaves files that relayd may not read: make it 3733 or 3730", mode);
  return {};
}

void Folder::each(const Visit& visit) const {
  const int copy = ::openat(directory_.number(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (copy < 0) fail("open the drop folder");
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(::fdopendir(copy), ::closedir);
  while (const dirent* entry = ::readdir(listing.get())) visit(entry->d_name);
}

bool Folder::look_at(const std::string& name, struct stat& status) const {
  return ::fstatat(directory_.number(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

Listing Folder::list(std::size_t limit, const Skip& skip, uid_t first) const {
  FairList listed(limit, first);
  each([&](const std::string& name) {
    if (name == "." || name == ".." || kind_of(name) != Kind::waiting) return;
    if (skip && skip(name)) return;
    struct stat status {};
    if (look_at(name, status))
      listed.add(status.st_uid, name);
    else if (errno != ENOENT)
      listed.add(nobody, name);  // open() will say what is wrong with it
  });
  return listed.take();
}

// True: it is gone by this. A directory with something in it is not ours to empty.
bool Folder::unlink(const std::string& name, const struct stat& status) const {
  const int flags = S_ISDIR(status.st_mode) ? AT_REMOVEDIR : 0;
  if (::unlinkat(directory_.number(), name.c_str(), flags) == 0) return true;
  // What else may stand in the way is its owner's doing.
  if (errno == EIO || errno == EROFS || errno == ENOMEM) fail("remove an old file of the drop folder");
  return false;
}

std::vector<std::string> Folder::remove_old(Kind kind, WallTime before) const {
  std::vector<std::string> removed;
  each([&](const std::string& name) {
    struct stat status {};
    const bool old = kind_of(name) == kind && removed.size() < removed_at_once && look_at(name, status) &&
                     changed(status) < before;
    if (old && unlink(name, status)) removed.push_back(name);
  });
  return removed;
}

void Folder::each_file(Kind kind, const VisitFile& visit) const {
  each([&](const std::string& name) {
    struct stat status {};
    if (kind_of(name) == kind && look_at(name, status) && !S_ISDIR(status.st_mode)) visit(name, status);
  });
}

std::optional<Excess> Folder::excess(Kind kind, const Allowance& allowance, uid_t after) const {
  std::map<uid_t, Space> spaces;
  each_file(kind, [&spaces](const std::string&, const struct stat& status) {
    Space& space = spaces[status.st_uid];
    ++space.files;
    space.octets += octets_of(status);
  });
  const auto above = std::find_if(spaces.upper_bound(after), spaces.end(), [&allowance](const auto& entry) {
    return entry.second.exceeds(allowance);
  });
  if (above == spaces.end()) return std::nullopt;
  Excess excess{above->first, {}};
  std::map<std::string, std::uint64_t> oldest;
  each_file(kind, [&](const std::string& name, const struct stat& status) {
    if (status.st_uid == excess.owner) oldest.emplace(name, octets_of(status));
    if (oldest.size() > excess_at_once) oldest.erase(std::prev(oldest.end()));
  });
  Space& left = above->second;
  for (const auto& [name, octets] : oldest) {
    if (!left.exceeds(allowance)) break;
    excess.names.push_back(name);
    --left.files;
    left.octets -= std::min(left.octets, octets);
  }
  return excess;
}

std::size_t Folder::remove_all(const std::vector<std::string>& names) const {
  std::size_t removed = 0;
  for (const std::string& name : names) {
    struct stat status {};
    if (look_at(name, status) && unlink(name, status)) ++removed;
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
    if (errno == ENOENT) return Error{"it is gone"};
    if (errno == ELOOP) return Error{"it is a symbolic link"};
    if (errno == EACCES) return Error{"it may not be read: the folder's group is not its group"};
    if (errno == ENXIO || errno == ENODEV) return Error{"it is no regular file"};
    if (errno == EWOULDBLOCK) return Error{"its owner keeps others from opening it"};
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

bool Folder::remove(const std::string& name) const {
  if (::unlinkat(directory_.number(), name.c_str(), 0) != 0 && errno != ENOENT) {
    if (errno == EISDIR) return false;
    fail("remove a file of the drop folder");
  }
  // Not durable yet, it would come back with a crash and be sent twice.
  if (::fsync(directory_.number()) != 0) fail("sync the drop folder");
  return true;
}

std::string Folder::set_aside(const std::string& name) const {
  std::string aside = std::string(refused) + make_name(wall_now());
  const int directory = directory_.number();
  if (::renameat2(directory, name.c_str(), directory, aside.c_str(), RENAME_NOREPLACE) == 0) return aside;
  if (errno != ENOENT) fail("set a file of the drop folder aside");
  return {};
}

void make_folder(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0) fail(directory);
  if (::chmod(directory.c_str(), folder_mode) != 0) fail(directory);
}

}  // namespace relayd::drop
