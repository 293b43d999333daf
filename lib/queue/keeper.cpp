#include "queue/keeper.hpp"

#include <utility>

namespace relayd::queue {

Keeper::~Keeper() {
  stop();
}

async::Task<void> Keeper::run(std::function<void()> work) {
  struct State {
    async::Event ended;
    std::exception_ptr failure;
  };
  auto state = std::make_shared<State>();
  post([this, state, work = std::move(work), alive = std::weak_ptr(alive_)] {
    try {
      work();
    } catch (...) {
      state->failure = std::current_exception();
    }
    loop_.post([state, alive] {
      if (!alive.expired()) state->ended.set();
    });
  });
  co_await state->ended;
  if (state->failure) std::rethrow_exception(state->failure);
}

void Keeper::post(std::function<void()> work) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(work));
    if (!thread_.joinable()) thread_ = std::thread([this] { serve(); });
  }
  wake_.notify_one();
}

void Keeper::stop() {
  alive_.reset();
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Keeper::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace relayd::queue
