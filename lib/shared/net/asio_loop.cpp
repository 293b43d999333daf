#include "shared/net/asio_loop.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <map>
#include <unordered_map>
#include <utility>

namespace relayd::net {

// All timers of the process share one asio timer: most are armed and moved without ever firing.
struct AsioLoop::Implementation {
  using Timers = std::multimap<SteadyTime, std::pair<TimerId, Callback>>;

  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::steady_timer alarm{context};
  SteadyTime alarm_at = SteadyTime::max();
  bool turn_posted = false;
  Timers timers;
  std::unordered_map<TimerId, Timers::iterator> by_id;
  TimerId last_id = 0;
  std::unique_ptr<asio::signal_set> signals;
  std::function<void(int)> signal_callback;

  // What is due already needs no alarm, only its turn: setting one costs two system calls.
  void arm() {
    if (timers.empty()) return;
    const SteadyTime first = timers.begin()->first;
    if (first <= std::chrono::steady_clock::now()) {
      if (!std::exchange(turn_posted, true))
        asio::post(context, [this] {
          turn_posted = false;
          fire();
        });
      return;
    }
    if (first >= alarm_at) return;
    alarm_at = first;
    alarm.expires_at(alarm_at);
    alarm.async_wait([this](const asio::error_code& error) {
      if (error) return;  // moved to an earlier moment
      alarm_at = SteadyTime::max();
      fire();
    });
  }

  // What is set meanwhile has to wait for its turn, so that the sockets get theirs.
  void fire() {
    const SteadyTime now = std::chrono::steady_clock::now();
    for (std::size_t left = timers.size(); left > 0 && !timers.empty() && timers.begin()->first <= now;
         --left) {
      auto [id, callback] = std::move(timers.begin()->second);
      by_id.erase(id);
      timers.erase(timers.begin());
      callback();
    }
    arm();
  }

  void wait_for_signal() {
    signals->async_wait([this](const asio::error_code& error, int signal) {
      if (error) return;
      signal_callback(signal);
      wait_for_signal();
    });
  }
};

AsioLoop::AsioLoop() : implementation_(std::make_unique<Implementation>()) {}
AsioLoop::~AsioLoop() = default;

SteadyTime AsioLoop::now() const {
  return std::chrono::steady_clock::now();
}
WallTime AsioLoop::wall_now() const {
  return relayd::wall_now();
}

void AsioLoop::post(Callback callback) {
  asio::post(implementation_->context, std::move(callback));
}

AsioLoop::TimerId AsioLoop::call_at(SteadyTime when, Callback callback) {
  Implementation& self = *implementation_;
  const TimerId id = ++self.last_id;
  self.by_id[id] = self.timers.emplace(when, std::pair(id, std::move(callback)));
  self.arm();
  return id;
}

void AsioLoop::cancel(TimerId id) {
  Implementation& self = *implementation_;
  auto found = self.by_id.find(id);
  if (found == self.by_id.end()) return;
  self.timers.erase(found->second);
  self.by_id.erase(found);
}

void AsioLoop::run() {
  implementation_->context.run();
  implementation_->context.restart();  // a stop() before the next run() counts
}
void AsioLoop::stop() {
  implementation_->context.stop();
}

void AsioLoop::on_signal(std::vector<int> signals, std::function<void(int)> callback) {
  Implementation& self = *implementation_;
  self.signals = std::make_unique<asio::signal_set>(self.context);
  for (const int signal : signals) self.signals->add(signal);
  self.signal_callback = std::move(callback);
  self.wait_for_signal();
}

asio::io_context& AsioLoop::context() {
  return implementation_->context;
}

}  // namespace relayd::net
