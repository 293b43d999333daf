// User: a user of the system (passwd(5)).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "shared/base/result.hpp"

namespace relayd::process {

struct User {
  std::string name;  // "relayd"; "uid 65532" for a number that has no entry
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home = "/";
};

// By name, or by number ("65532": the group is then that of its entry, or the same number).
Result<User> find_user(const std::string& name);

// The owner of what is at this path. Nothing: there is nothing.
std::optional<User> owner_of(const std::string& path);

// The user that this process runs as.
User this_user();

}  // namespace relayd::process
