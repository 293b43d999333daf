// WebhookSender: tells one receiver of webhooks what waits for it in its spool, oldest first.
//
// Owned by the Webhooks. One request is under way at a time, so that what became of a message arrives in
// order. One that fails is repeated, the same but for its time and signature: after 5 s, 5 min, 30 min, 2 h,
// 5 h, and then each 10 h, give or take a tenth; `Retry-After` makes that later, by a day at most. 410 ends
// it until the next start or reload. Nothing new is a reason to try earlier; a reload is.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "relay/webhook_spool.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/workers.hpp"
#include "shared/http/client.hpp"
#include "shared/telemetry/log.hpp"
#include "watch/status.hpp"

namespace relayd {

class WebhookSender {
 public:
  // How the receiver is reached.
  struct Receiver {
    std::string shown;  // its URL for the operator: without user and query
    std::vector<std::string> secrets;
    std::unique_ptr<http::Client> client;
  };

  // `spool` outlives it.
  WebhookSender(async::Loop& loop, async::Workers& workers, telemetry::Log& log, WebhookSpool& spool,
                Receiver receiver)
      : loop_(loop),
        workers_(workers),
        log_(log),
        spool_(spool),
        receiver_(std::move(receiver)),
        timer_(loop) {}

  // Goes on where an earlier process ended.
  void begin();
  // After a reload: from the next request on, which is not waited for.
  void use(Receiver receiver);
  // Until use(): no request is begun. The one under way comes to its end.
  void rest();
  // Something has come to the spool.
  void wake();

  // No request is begun; the one under way is given up.
  void shut_down();
  async::Task<void> drained() { return scope_.drained(); }

  watch::Status::Webhook status() const;

 private:
  async::Task<void> work(bool first);
  async::Task<bool> tell_next();
  async::Task<bool> read_next();
  http::Request request() const;
  async::Task<std::string> post();
  Duration time_left() const;
  async::Task<void> note(WebhookSpool::Trouble trouble);
  void heed(const http::Response& response);
  void begin_again();
  void say_dropped();

  async::Loop& loop_;
  async::Workers& workers_;
  telemetry::Log& log_;
  WebhookSpool& spool_;
  Receiver receiver_;
  std::optional<Receiver> next_receiver_;  // once no request is under way
  WebhookSpool::Trouble trouble_;
  std::optional<tell::WebhookBatch> batch_;  // the request under way, or that failed
  bool taken_ = false;                       // and it need not be repeated
  Duration asked_wait_{};                    // by Retry-After
  bool disabled_ = false;
  bool resting_ = false;
  bool working_ = false;
  bool woken_ = false;  // meanwhile
  bool stopping_ = false;
  bool disk_failed_ = false;  // and the log has said so
  std::uint64_t sent_ = 0;
  std::uint64_t said_dropped_ = 0;
  Deadline next_said_dropped_{};
  std::stop_source stop_;
  std::minstd_rand random_{std::random_device{}()};
  async::Timer timer_;
  async::Scope scope_;
};

}  // namespace relayd
