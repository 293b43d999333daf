// QueueLoading: reads the queue at the start on a helper thread, while the loop already answers.
//
// Owned by the relay. Whoever asks meanwhile hears how far it is; the log does once a second.
#pragma once

#include <atomic>
#include <cstdint>
#include <semaphore>

#include "queue/queue.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/task.hpp"
#include "shared/async/workers.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

class QueueLoading {
 public:
  QueueLoading(async::Loop& loop, async::Workers& workers, telemetry::Log& log, queue::Queue& queue)
      : loop_(loop), workers_(workers), log_(log), queue_(queue), tick_(loop) {}

  // Queue::load(). Nothing else of the queue may be used before it returns. Throws queue::QueueError. False:
  // it was stopped, and the queue is of no use.
  async::Task<bool> run();
  // Blocks until it has ended, or for a moment: the first clients of a queue that is read quickly wait for
  // their greeting instead of being put off. Once, before the loop runs.
  void wait_a_moment();
  // Ends it soon.
  void stop() { stopped_ = true; }

  queue::Progress progress() const;

 private:
  struct Stopped {};
  void load();
  void tick();

  async::Loop& loop_;
  async::Workers& workers_;
  telemetry::Log& log_;
  queue::Queue& queue_;
  async::Timer tick_;
  std::atomic<std::uint64_t> read_{0};
  std::atomic<std::uint64_t> total_{0};
  std::atomic<std::size_t> messages_{0};
  std::atomic<bool> stopped_{false};
  std::binary_semaphore ended_{0};
};

}  // namespace relayd
