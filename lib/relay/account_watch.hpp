// AccountWatch: has a doctor look at all accounts now and then, and tells once when one fails and when it is
// well again.
//
// Beside the path; owned by the relay. A look follows a start and each change of the configuration, then
// every `watch.every`; while something fails, and is not known to last, sooner. What a look means is decided
// by watch::Accounts; this has the times, and who is told: the log, whoever listens, and by mail
// `watch.notify`, from an address whose account works. Where none does, that mail waits for a look that finds
// one.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "route/router.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/config/config.hpp"
#include "shared/telemetry/log.hpp"
#include "watch/accounts.hpp"

namespace relayd {

class AccountWatch {
 public:
  static constexpr Duration after_change = std::chrono::seconds(2);
  static constexpr Duration while_doubtful = std::chrono::minutes(5);

  // What it asks the relay for.
  struct Hooks {
    // Looks at all upstreams.
    std::function<async::Task<std::vector<watch::Finding>>(std::shared_ptr<const route::Router>)> examine;
    // Queues a message of the relay's own, of these paragraphs. Why not, in words; empty: it is queued.
    std::function<async::Task<std::string>(const std::string& from, const std::vector<std::string>& to,
                                           const std::string& subject,
                                           const std::vector<std::string>& paragraphs)>
        send;
    // Hears of each change: the log does.
    std::function<void(const watch::Account&)> changed;
  };

  AccountWatch(async::Loop& loop, telemetry::Log& log, Hooks hooks)
      : loop_(loop), log_(log), hooks_(std::move(hooks)), timer_(loop) {}

  // Mail may be queued. From now on it looks, if the configuration wants it.
  void begin(std::shared_ptr<const route::Router> router);
  // After a reload; until begin() it does nothing.
  void use(std::shared_ptr<const route::Router> router);

  // Of the last look; empty: there was none.
  const std::vector<watch::Account>& accounts() const { return accounts_.all(); }

  // No look is begun. The examiner ends what is under way.
  void shut_down();
  async::Task<void> drained() { return scope_.drained(); }

 private:
  const config::Watch* settings() const;
  void arrange(Duration wait);
  async::Task<void> look();
  void tell(const std::vector<watch::Account>& changed);
  async::Task<void> write();
  std::string sender() const;

  async::Loop& loop_;
  telemetry::Log& log_;
  Hooks hooks_;
  std::shared_ptr<const route::Router> router_;
  watch::Accounts accounts_;
  std::vector<watch::Account> untold_;  // by mail; the newest of each
  bool begun_ = false;
  bool looking_ = false;
  bool again_ = false;                       // the configuration changed meanwhile
  Duration while_failing_ = while_doubtful;  // until the next look; doubled each time
  bool stopping_ = false;
  async::Timer timer_;
  async::Scope scope_;
};

}  // namespace relayd
