// Keeper: the one thread that does for the queue what blocks and can wait: making files, moving messages,
// removing what is of no use. Nobody's commit stands behind it.
//
// Owned by the queue. Jobs run one after the other and touch what they are handed; keep each one short.
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "shared/async/event.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/task.hpp"

namespace relayd::queue {

class Keeper {
 public:
  // The thread starts with the first job.
  explicit Keeper(async::Loop& loop) : loop_(loop) {}
  ~Keeper();  // as stop()

  // Runs `work` on the thread and returns when it has ended, or throws what it threw. After stop() the
  // awaiting coroutine is never resumed.
  async::Task<void> run(std::function<void()> work);
  // The same for what nobody waits for; it must not throw.
  void post(std::function<void()> work);
  // Runs what is in line, then joins. Nobody is told any more.
  void stop();

 private:
  void serve();

  async::Loop& loop_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);  // until stop(), on the loop
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> jobs_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace relayd::queue
