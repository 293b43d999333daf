// Workers: a small pool of helper threads for what blocks (cold reads, big files, key derivation,
// secrets).
//
// A job touches only what it is handed. Its result comes back on the loop's thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "shared/async/event.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/task.hpp"

namespace relayd::async {

class Workers {
 public:
  // Threads start with the first job, not before: an idle relay has one thread fewer.
  Workers(Loop& loop, unsigned threads) : loop_(loop), limit_(threads) {}
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  // As finish().
  ~Workers();
  // Runs what is queued to its end, then joins; the results go nowhere. Nothing may be run after it.
  void finish();

  // Runs `work` on a helper thread; returns its result, or throws what it threw. The awaiting coroutine must
  // not be destroyed meanwhile.
  template <class Work>
  Task<std::invoke_result_t<Work&>> run(Work work) {
    using R = std::invoke_result_t<Work&>;
    if constexpr (std::is_void_v<R>) {
      Slot<bool> slot;
      submit([this, &slot, &work] {
        std::exception_ptr failure;
        try {
          work();
        } catch (...) {
          failure = std::current_exception();
        }
        loop_.post([&slot, failure] { failure ? slot.fail(failure) : slot.put(true); });
      });
      co_await slot;
    } else {
      Slot<bool> slot;
      std::optional<R> result;
      submit([this, &slot, &work, &result] {
        std::exception_ptr failure;
        try {
          result.emplace(work());
        } catch (...) {
          failure = std::current_exception();
        }
        loop_.post([&slot, failure] { failure ? slot.fail(failure) : slot.put(true); });
      });
      co_await slot;
      co_return std::move(*result);
    }
  }

 private:
  void submit(std::function<void()> job);
  void serve();

  Loop& loop_;
  const unsigned limit_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  unsigned idle_ = 0;
  bool stopping_ = false;
};

}  // namespace relayd::async
