#include "relay/queue_loading.hpp"

namespace relayd {

using async::Task;

namespace {
constexpr auto interval = std::chrono::seconds(1);
constexpr auto moment = std::chrono::milliseconds(300);
}  // namespace

Task<bool> QueueLoading::run() {
  tick();
  bool whole = true;
  try {
    co_await workers_.run([this] { load(); });
  } catch (const Stopped&) {
    whole = false;
  } catch (...) {
    tick_.cancel();
    throw;
  }
  tick_.cancel();
  co_return whole;
}

// Runs on a worker.
void QueueLoading::load() {
  struct End {
    std::binary_semaphore& ended;
    ~End() { ended.release(); }
  } const end{ended_};
  queue_.load([this](const queue::Progress& progress) {
    read_ = progress.read.count;
    total_ = progress.total.count;
    messages_ = progress.messages;
    if (stopped_) throw Stopped();
  });
}

void QueueLoading::wait_a_moment() {
  static_cast<void>(ended_.try_acquire_for(moment));
}

queue::Progress QueueLoading::progress() const {
  return {Bytes{read_}, Bytes{total_}, messages_};
}

void QueueLoading::tick() {
  tick_.at(loop_.now() + interval, [this] {
    log_.info("queue_loading",
              {{"messages", messages_.load()}, {"octets", read_.load()}, {"total", total_.load()}});
    tick();
  });
}

}  // namespace relayd
