// DirectoryWatch: tells its owner that a file was moved into a directory, which is how whole files come
// there.
//
// Owned by whoever looks into the directory. It only says that a look is worth it: not what came, and on a
// network file system nothing of what other machines do. So its owner looks now and then anyway.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "shared/net/asio_loop.hpp"

namespace relayd::net {

class DirectoryWatch {
 public:
  using Wanted = std::function<bool(std::string_view name)>;

  // Calls back on the loop's thread, once for what came meanwhile, where a name of it is `wanted`. Throws
  // std::system_error: no such directory, or the system has no watch left.
  DirectoryWatch(AsioLoop& loop, const std::string& directory, Wanted wanted,
                 std::function<void()> on_arrival);
  // No call comes any more.
  ~DirectoryWatch();

 private:
  struct Implementation;
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace relayd::net
