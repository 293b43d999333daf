#include "progress.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "shared/base/counted.hpp"

namespace relayd::command {

namespace {

constexpr std::chrono::milliseconds interval(200);

}  // namespace

Progress::Progress(bool tells_each)
    : is_wanted_(::isatty(STDERR_FILENO) == 1 && !(tells_each && ::isatty(STDOUT_FILENO) == 1)) {}

void Progress::step() {
  ++count_;
  const Clock::time_point now = Clock::now();
  if (!is_wanted_ || now - last_ < interval) return;
  fmt::print(stderr, "\r{}", counted(count_, "message"));
  last_ = now;
  is_shown_ = true;
}

void Progress::hide() {
  if (is_shown_) fmt::print(stderr, "\r\x1b[K");
  is_shown_ = false;
}

}  // namespace relayd::command
