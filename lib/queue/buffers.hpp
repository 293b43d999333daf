// Buffers: the memory of records that are written, for the drafts that come next. Fresh memory has to be
// cleared by the kernel, and a buffer that grows is copied again and again; one that served already does
// neither.
//
// Owned by the queue, on the loop's thread. Keeps little: what a moment of many messages needed goes back.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace relayd::queue {

class Buffers {
 public:
  // An empty one; the last that came back, so that it is still in the processor's cache.
  std::string take() {
    if (kept_.empty()) return {};
    std::string buffer = std::move(kept_.back());
    kept_.pop_back();
    bytes_ -= buffer.capacity();
    buffer.clear();
    return buffer;
  }

  void give_back(std::string buffer) {
    if (bytes_ + buffer.capacity() > limit) return;
    bytes_ += buffer.capacity();
    kept_.push_back(std::move(buffer));
  }

 private:
  static constexpr std::size_t limit = 2 << 20;

  std::vector<std::string> kept_;
  std::size_t bytes_ = 0;
};

}  // namespace relayd::queue
