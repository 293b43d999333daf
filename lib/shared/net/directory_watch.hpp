// DirectoryWatch: tells its owner that a file was moved into a directory, which is how whole files come
// there.
//
// Owned by whoever looks into the directory. It only says that a look is worth it: not what came, and on a
// network file system nothing of what other machines do. So its owner looks now and then anyway.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "shared/net/asio_loop.hpp"

namespace relayd::net {

class DirectoryWatch {
 public:
  // Calls back on the loop's thread, once for what came meanwhile. Throws std::system_error: no such
  // directory, or the system has no watch left.
  DirectoryWatch(AsioLoop& loop, const std::string& directory, std::function<void()> on_arrival);
  // No call comes any more.
  ~DirectoryWatch();

 private:
  struct Implementation;
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace relayd::net
