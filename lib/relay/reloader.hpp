// Reloader: has the configuration read again when a signal, the operator or a change of its files asks for
// it, one reload at a time, and used when it is good as a whole.
//
// Owned by main, beside the relay. It does not know what a configuration is: making and using one is handed
// in.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "relay/file_watch.hpp"
#include "relay/setup.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/net/asio_loop.hpp"
#include "shared/telemetry/log.hpp"
#include "watch/reload.hpp"
#include "watch/status.hpp"

namespace relayd {

class Reloader {
 public:
  using Make = std::function<SetupResult()>;  // on a helper thread
  // Returns what could not be changed while running, in words.
  using Use = std::function<std::string(Setup setup)>;

  Reloader(net::AsioLoop& loop, telemetry::Log& log, Make make, Use use);

  // Hears that reading begins (true), and that what was read is used or refused (false).
  void on_reload(std::function<void(bool begins)> told) { told_ = std::move(told); }
  // Watches from here on the files that were read at the start.
  void watch(disk::FileStamps files);
  // Asks for a reload that begins after this call.
  void request();
  // The same, and waits until it is over.
  async::Task<watch::Reload> reload();

  void close();
  // A helper thread is at work for it, which cannot be stopped.
  bool busy() const { return running_ || files_watch_.busy(); }
  const watch::Status::Configuration& standing() const { return standing_; }

 private:
  using Waiter = async::Slot<watch::Reload>;

  async::Task<void> run();
  async::Task<watch::Reload> once();
  void refuse(const std::vector<std::string>& errors);

  net::AsioLoop& loop_;
  telemetry::Log& log_;
  Make make_;
  Use use_;
  std::function<void(bool begins)> told_ = [](bool) {};
  disk::FileStamps files_;
  std::vector<std::string> changed_;  // files, which is why the next reload was asked for
  bool wanted_ = false;
  bool running_ = false;
  bool closed_ = false;
  std::vector<Waiter*> waiters_;  // for a reload that has not begun
  watch::Status::Configuration standing_;
  async::Scope scope_;
  FileWatch files_watch_;
  async::Workers workers_;  // the last: it goes before those who wait for it
};

}  // namespace relayd
