// ManualLoop: a loop whose clock stands still until the test moves it.
//
// run() runs what was posted and what is due; advance() moves the clock from timer to timer. post() may be
// called from another thread, run_until() waits for such calls (bounded).
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <stdexcept>
#include <utility>

#include "shared/async/loop.hpp"

namespace relayd::test {

class ManualLoop final : public async::Loop {
 public:
  SteadyTime now() const override { return now_; }
  WallTime wall_now() const override { return wall_; }
  void set_wall(WallTime wall) { wall_ = wall; }

  void post(Callback callback) override {
    std::lock_guard lock(mutex_);
    posted_.push_back(std::move(callback));
    arrived_.notify_one();
  }

  TimerId call_at(SteadyTime when, Callback callback) override {
    timers_.emplace(std::pair(when, ++last_id_), std::move(callback));
    return last_id_;
  }
  void cancel(TimerId id) override {
    std::erase_if(timers_, [id](const auto& entry) { return entry.first.second == id; });
  }

  // Runs what is ready now; true if anything ran.
  bool run() {
    bool any = false;
    for (;;) {
      Callback next = take();
      if (!next && !timers_.empty() && timers_.begin()->first.first <= now_) {
        next = std::move(timers_.begin()->second);
        timers_.erase(timers_.begin());
      }
      if (!next) return any;
      any = true;
      ++calls_;
      const auto begun = std::chrono::steady_clock::now();
      next();
      if (after_each) after_each(std::chrono::steady_clock::now() - begun);
    }
  }

  // Runs, waiting for other threads, until `done()`; throws after ten seconds of real time.
  void run_until(const std::function<bool()>& done) {
    while (!done()) {
      if (run()) continue;
      std::unique_lock lock(mutex_);
      if (!arrived_.wait_for(lock, std::chrono::seconds(10), [this] { return !posted_.empty(); }))
        throw std::runtime_error("ManualLoop: nothing arrived in ten seconds");
    }
  }

  // Waits for a call from another thread, for so much real time at most. False: none came.
  bool wait_for_post(std::chrono::microseconds most) {
    std::unique_lock lock(mutex_);
    return arrived_.wait_for(lock, most, [this] { return !posted_.empty(); });
  }

  // Moves the clock, stopping at each timer on the way.
  void advance(Duration by) {
    const SteadyTime target = now_ + by;
    run();
    while (!timers_.empty() && timers_.begin()->first.first <= target) {
      move_to(timers_.begin()->first.first);
      run();
    }
    move_to(target);
  }

  // Told after each callback how long it really took.
  std::function<void(Duration)> after_each;

  // Callbacks that have run.
  std::uint64_t calls() const { return calls_; }

  bool has_timers() const { return !timers_.empty(); }
  SteadyTime next_timer() const { return timers_.begin()->first.first; }

 private:
  Callback take() {
    std::lock_guard lock(mutex_);
    if (posted_.empty()) return {};
    Callback next = std::move(posted_.front());
    posted_.pop_front();
    return next;
  }
  void move_to(SteadyTime when) {
    if (when <= now_) return;
    rest_ += when - now_;  // many small steps are a long way for both clocks
    const auto whole = std::chrono::duration_cast<std::chrono::microseconds>(rest_);
    wall_ += whole;
    rest_ -= whole;
    now_ = when;
  }

  SteadyTime now_{std::chrono::hours(1)};
  WallTime wall_{std::chrono::seconds(1'790'000'000)};
  Duration rest_{};  // that the wall clock is behind
  std::map<std::pair<SteadyTime, TimerId>, Callback> timers_;
  TimerId last_id_ = 0;
  std::uint64_t calls_ = 0;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Callback> posted_;
};

// Runs a task that needs no loop, or drives `loop` until it has ended; returns its result.
template <class T>
T run_task(async::Task<T> task, ManualLoop* loop = nullptr) {
  task.start();
  if (!task.done()) {
    if (!loop) throw std::logic_error("run_task: the task waits for something and has no loop");
    loop->run_until([&task] { return task.done(); });
  }
  return task.result();
}

}  // namespace relayd::test
