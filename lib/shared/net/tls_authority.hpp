// Authority: a throw-away certification authority, for the demo and for tests. Never for anything else.
//
// Keys are P-256, live in memory and last as long as asked. Files are written by the caller.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "shared/base/time.hpp"

namespace relayd::net {

class Authority {
 public:
  explicit Authority(const std::string& common_name);
  ~Authority();

  std::string certificate() const;  // PEM

  struct Issued {
    std::string certificate;  // PEM
    std::string key;          // PEM
  };
  // A server certificate for DNS names and IP literals, valid over the span given.
  Issued issue(const std::vector<std::string>& names, WallTime from, WallTime until) const;

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace relayd::net
