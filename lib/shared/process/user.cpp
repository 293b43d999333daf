#include "shared/process/user.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

namespace relayd::process {

namespace {

User from(const passwd& entry) {
  return {entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir};
}

User from_number(uid_t uid, gid_t gid) {
  if (const passwd* const entry = ::getpwuid(uid)) return from(*entry);
  return {fmt::format("uid {}", uid), uid, gid, "/"};
}

}  // namespace

Result<User> find_user(const std::string& name) {
  uid_t uid = 0;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = std::from_chars(name.data(), end, uid);
  // The greatest number means "unchanged" to setresuid.
  if (error == std::errc() && stop == end && uid != static_cast<uid_t>(-1)) return from_number(uid, uid);
  errno = 0;
  if (const passwd* const entry = ::getpwnam(name.c_str())) return from(*entry);
  if (errno != 0 && errno != ENOENT && errno != ESRCH)
    return Error{fmt::format("cannot look up the user '{}': {}", name, std::strerror(errno))};
  return Error{fmt::format("there is no user '{}' on this machine", name)};
}

std::optional<User> owner_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return from_number(status.st_uid, status.st_gid);
}

User this_user() {
  return from_number(::geteuid(), ::getegid());
}

}  // namespace relayd::process
