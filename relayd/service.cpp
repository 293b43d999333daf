#include "service.hpp"

#include <algorithm>
#include <utility>

namespace relayd::command {

namespace {

using namespace std::chrono_literals;

constexpr Duration refresh = 10s;  // of the status
// While the loop turns, however long a queue takes to read.
constexpr Duration longer = 60s;

}  // namespace

Service::Service(async::Loop& loop, process::ServiceManager& manager, std::function<std::string()> status)
    : loop_(loop), manager_(manager), status_(std::move(status)), timer_(loop) {}

void Service::starting() {
  if (manager_.listens()) beat();
}

void Service::ready() {
  if (phase_ != Phase::starting) return;
  phase_ = Phase::running;
  manager_.ready();
  show(status_());
}

// A reload that was refused leaves the daemon as ready as it was.
void Service::reloading(bool begins) {
  if (phase_ != Phase::running) return;
  reloads_ = begins;
  if (begins)
    manager_.reloading();
  else
    manager_.ready();
}

void Service::stopping(const std::string& why) {
  phase_ = Phase::stopping;
  manager_.stopping();
  if (!why.empty()) show(why);
}

void Service::beat() {
  if (manager_.watchdog()) manager_.alive();
  if (phase_ == Phase::starting || reloads_) manager_.extend_start(longer);
  if (phase_ != Phase::stopping) show(status_());
  const Duration pause = manager_.watchdog() ? std::min(refresh, *manager_.watchdog() / 2) : refresh;
  timer_.at(loop_.now() + pause, [this] { beat(); });
}

void Service::show(const std::string& status) {
  if (status != std::exchange(shown_, status)) manager_.status(status);
}

}  // namespace relayd::command
