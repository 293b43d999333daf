// Certificates: notices when the files of the listeners' certificates have changed, and has the new ones
// used.
//
// Owned by the relay. It looks every few seconds, on a helper thread. Files that do not fit together, as
// between the two steps of a renewal, are logged once; the old certificates stay until they do.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/net/tls.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

class Certificates {
 public:
  using Use = std::function<void(std::shared_ptr<net::TlsServerContext>)>;

  static constexpr Duration interval = std::chrono::seconds(3);

  Certificates(async::Loop& loop, async::Workers& workers, telemetry::Log& log, Use use)
      : loop_(loop), workers_(workers), log_(log), use_(std::move(use)), alarm_(loop) {}

  // What is in use now, with the files it came from; null: nothing to look at.
  void watch(std::shared_ptr<net::TlsServerContext> context);

  void close();
  async::Task<void> drained() { return scope_.drained(); }

 private:
  void wait();
  async::Task<void> look();

  async::Loop& loop_;
  async::Workers& workers_;
  telemetry::Log& log_;
  Use use_;
  async::Timer alarm_;
  async::Scope scope_;
  std::shared_ptr<net::TlsServerContext> context_;
  std::string tried_;  // the stamp of the files when they did not fit together
};

}  // namespace relayd
