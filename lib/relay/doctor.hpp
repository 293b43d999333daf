// Doctor: goes the way to each upstream as mail would, up to the login and the sender, and says what it
// found.
//
// Beside the path; used by `relayd doctor`, and by the account watch. Its dialogue is SmtpTransport's, with
// what lanes make of the configuration (lanes.hpp), over a dialer and connections of its own: nothing of a
// running relay changes, and a message is never begun. Each name, address, port, login and configured sender
// is tried, some upstreams at a time, none for long.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "route/router.hpp"
#include "send/login.hpp"
#include "shared/async/dialer.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/workers.hpp"
#include "watch/finding.hpp"

namespace relayd {

struct DoctorOrder {
  std::vector<std::string> upstreams = {};  // their names; empty: all
  std::string sender = {};   // only where mail of this address goes, and only it; empty: what is configured
  std::string account = {};  // only the account of that name; empty: all
  Duration limit = std::chrono::seconds(30);  // of a connection up to its login, and of each sender
};

class Doctor {
 public:
  struct Means {
    async::Loop& loop;
    async::Workers& workers;
    async::Dialer& dialer;
    // The addresses of a host, in the order to try. Throws IoError.
    std::function<async::Task<std::vector<std::string>>(const std::string& host, Deadline deadline,
                                                        std::stop_token stop)>
        resolve;
    // Where the access tokens of a choice that has `oauth2` come from; null: only the running relay may ask
    // for them, as a sign-in that two use may end.
    std::function<send::Tokens*(const route::Choice& choice)> tokens_of = {};
  };

  // More than these are not tried: a note says so.
  static constexpr std::size_t most_addresses = 8;   // of a host
  static constexpr std::size_t most_accounts = 100;  // of an upstream
  static constexpr std::size_t most_senders = 20;    // of an account

  explicit Doctor(Means means) : means_(std::move(means)) {}

  // In the order of the configuration. The order's upstreams are the router's.
  async::Task<std::vector<watch::Finding>> examine(std::shared_ptr<const route::Router> router,
                                                   DoctorOrder order);
  // Ends what is under way.
  void stop() { stop_.request_stop(); }

 private:
  static constexpr std::size_t upstreams_at_a_time = 8;

  Means means_;
  std::stop_source stop_;
};

// A client secret of OAuth 2 whose end the configuration tells.
struct Ending {
  std::string upstream;
  std::string account;
  WallTime until;
  std::string file;  // where it stands; empty: the configuration
  config::Location where;
};
std::vector<Ending> secrets_that_end(const config::Config& config);

// What ends some day: certificates of listeners and ours at upstreams, read from their files, and secrets.
// Blocks.
std::vector<watch::Finding> endings(const config::Config& config, WallTime now);

}  // namespace relayd
