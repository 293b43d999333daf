// Checksum: XXH3, 64 bits, of what the queue writes. It tells damage from sound bytes; it is no defence
// against someone who can write in the queue directory.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace relayd::queue {

std::uint64_t checksum(std::string_view bytes, std::uint64_t seed = 0);

// The same over bytes that come in pieces.
class RunningChecksum {
 public:
  RunningChecksum();
  RunningChecksum(RunningChecksum&&) noexcept;
  RunningChecksum& operator=(RunningChecksum&&) noexcept;
  ~RunningChecksum();

  void add(std::string_view bytes);
  std::uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace relayd::queue
