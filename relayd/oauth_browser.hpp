// BrowserListener: waits for a browser that comes back to this machine, or for its address on standard input
// (RFC 8252 7.3).
//
// Owned by `relayd oauth login`. Blocks.
#pragma once

#include <chrono>
#include <string>

#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"
#include "shared/disk/posix_disk.hpp"

namespace relayd::command {

class BrowserListener {
 public:
  // On 127.0.0.1, at a port from the kernel. Throws std::system_error.
  BrowserListener();

  std::string redirect(const std::string& host) const;  // "http://HOST:PORT"; the host is a name of loopback
  // The code of one request that is of a sign-in, or of one pasted address.
  Result<Secret> wait(const std::string& state, std::chrono::seconds patience);

 private:
  disk::Descriptor socket_;
  unsigned port_ = 0;
};

}  // namespace relayd::command
