// Alarm: says in the log what is wrong with the queue, and counts how often. Turns what went wrong while mail
// was taken into the refusal its client gets, and says that once a minute, not once a client, and not at all
// when the log has just told the cause.
//
// Owned by the queue, on the loop's thread. It does not say when mail is taken again: that is in the log
// anyway.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <string>

#include "shared/async/loop.hpp"

namespace relayd::queue {

class Alarm {
 public:
  // `on_trouble` takes a line for the log; it may be empty.
  Alarm(async::Loop& loop, const std::function<void(const std::string&)>& on_trouble)
      : loop_(loop), on_trouble_(on_trouble) {}

  // A line for the log.
  void say(const std::string& text);
  // The same about why mail may now be refused.
  void say_cause(const std::string& text);
  // Throws the QueueError that this error is for a client.
  [[noreturn]] void refuse(const std::exception& error);

  std::size_t count() const { return count_; }  // of lines

 private:
  async::Loop& loop_;
  const std::function<void(const std::string&)>& on_trouble_;
  SteadyTime silent_until_{};
  std::size_t count_ = 0;
};

}  // namespace relayd::queue
