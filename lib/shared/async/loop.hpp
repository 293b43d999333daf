// Loop: the one event loop, as everything but shared/net sees it: time, timers, and calls from other threads.
//
// Implemented on Asio by net::AsioLoop and by a manual clock in test/support. All calls but post() belong to
// the loop's thread.
#pragma once

#include <cstdint>
#include <functional>

#include "shared/async/event.hpp"
#include "shared/async/task.hpp"
#include "shared/base/time.hpp"

namespace relayd::async {

class Loop {
 public:
  using Callback = std::function<void()>;
  using TimerId = std::uint64_t;  // 0 is no timer

  virtual ~Loop() = default;

  virtual SteadyTime now() const = 0;
  virtual WallTime wall_now() const = 0;

  // Runs the callback on the loop's thread, soon. From any thread; keeps the order of one caller.
  virtual void post(Callback callback) = 0;

  // Runs the callback at or after `when`. The id is valid until the callback has begun or cancel() was
  // called.
  virtual TimerId call_at(SteadyTime when, Callback callback) = 0;
  virtual void cancel(TimerId id) = 0;
};

// An alarm that can be moved and belongs to one object; destroying it cancels it.
class Timer {
 public:
  explicit Timer(Loop& loop) : loop_(loop) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { cancel(); }

  // Replaces what was set before.
  void at(SteadyTime when, Loop::Callback callback) {
    cancel();
    id_ = loop_.call_at(when, [this, run = std::move(callback)] {
      id_ = 0;
      run();
    });
  }
  void cancel() {
    if (id_ != 0) loop_.cancel(id_);
    id_ = 0;
  }
  bool armed() const { return id_ != 0; }

 private:
  Loop& loop_;
  Loop::TimerId id_ = 0;
};

inline Task<void> sleep_until(Loop& loop, SteadyTime when) {
  Event done;
  Timer timer(loop);
  timer.at(when, [&done] { done.set(); });
  co_await done;
}

}  // namespace relayd::async
