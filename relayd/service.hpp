// Service: what the service manager hears of the daemon: that it is ready, reloads, stops, is alive, and how
// its queue stands. Owned by `run`; on the loop's thread.
#pragma once

#include <functional>
#include <string>

#include "shared/async/loop.hpp"
#include "shared/process/service_manager.hpp"

namespace relayd::command {

class Service {
 public:
  // `status`: what stands in `systemctl status`, asked while the loop runs.
  Service(async::Loop& loop, process::ServiceManager& manager, std::function<std::string()> status);

  // From here on it is told that the loop turns; until ready() also that the start needs
  // longer, and while it reloads that this does.
  void starting();
  // The queue was read, and mail is taken.
  void ready();
  void reloading(bool begins);
  void stopping(const std::string& why);

 private:
  enum class Phase { starting, running, stopping };

  void beat();
  void show(const std::string& status);

  async::Loop& loop_;
  process::ServiceManager& manager_;
  std::function<std::string()> status_;
  Phase phase_ = Phase::starting;
  bool reloads_ = false;
  std::string shown_;
  async::Timer timer_;
};

}  // namespace relayd::command
