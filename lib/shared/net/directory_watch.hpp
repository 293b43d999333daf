// DirectoryWatch: tells its owner that something has happened to names in directories.
//
// Owned by whoever looks into the directories. It only says that a look is worth it: not what happened, and
// on a network file system nothing of what other machines do. So its owner looks now and then anyway.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "shared/net/asio_loop.hpp"

namespace relayd::net {

class DirectoryWatch {
 public:
  using Wanted = std::function<bool(std::string_view name)>;

  // A file was moved into the directory, which is how whole files come there. Calls back on the loop's
  // thread, once for what came meanwhile, where a name of it is `wanted`. Throws std::system_error: no such
  // directory, or the system has no watch left.
  DirectoryWatch(AsioLoop& loop, const std::string& directory, Wanted wanted,
                 std::function<void()> on_arrival);

  // Names, by directory.
  using Names = std::map<std::string, std::set<std::string>>;
  // One of these came, went or was changed, or its directory was. What cannot be watched is left out.
  DirectoryWatch(AsioLoop& loop, const Names& names, std::function<void()> on_change);

  // No call comes any more.
  ~DirectoryWatch();

  // The directories that are not watched, each with the reason; empty: all are.
  const std::vector<std::string>& lacks() const { return lacks_; }

 private:
  struct Implementation;
  std::shared_ptr<Implementation> implementation_;
  std::vector<std::string> lacks_;
};

}  // namespace relayd::net
