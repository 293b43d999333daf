// Progress: how far a long command is, on a terminal that shows nothing else meanwhile.
#pragma once

#include <chrono>
#include <cstddef>

namespace relayd::command {

// A count of messages on standard error, which goes when the work is done.
class Progress {
 public:
  // Whether standard output shows each message: then, on a terminal, there is no need of a count.
  explicit Progress(bool tells_each);
  ~Progress() { hide(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // One more message.
  void step();
  // Before something else goes to standard error.
  void hide();

 private:
  using Clock = std::chrono::steady_clock;

  bool is_wanted_;
  bool is_shown_ = false;
  std::size_t count_ = 0;
  Clock::time_point last_ = Clock::now();
};

}  // namespace relayd::command
