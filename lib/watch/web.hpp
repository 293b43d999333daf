// Web: the operator's window over HTTP: health, metrics, the page and its API (docs/api.md).
//
// Beside the path; owned by the relay. What is asked is judged by api.hpp, and the Desk answers it, as it
// does for the admin socket. No request delays a message: lines are made one by one, texts by a helper
// thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "shared/async/workers.hpp"
#include "shared/http/server.hpp"
#include "shared/net/acceptor.hpp"
#include "watch/api.hpp"
#include "watch/captured_desk.hpp"
#include "watch/desk.hpp"
#include "watch/events.hpp"
#include "watch/series.hpp"

namespace relayd::watch {

class Web {
 public:
  // Where it listens; as config::Http has it.
  struct Address {
    std::string host;
    std::uint16_t port = 0;
    std::string unix_path;
    std::string inherited;
  };
  struct Hooks {
    // Why no mail is taken now; empty: it is.
    std::function<async::Task<std::vector<std::string>>()> not_ready;
    // What has become of mail, for who draws it; outlives this.
    const Series& series;
    // Lines as of `relayd history --json`, and one at the end; or what is wrong with the question.
    std::function<async::Task<Result<std::string>>(const HistoryQuestion&)> history;
    // What `relayd explain` prints; or what is wrong with the question.
    std::function<async::Task<Result<std::string>>(const ExplainQuestion&)> explain;
    // Where sandboxes keep messages.
    CapturedDesk::Places captured;
    // For what reads large files; outlives this.
    async::Workers& slow_workers;
  };

  // Binds; throws net::BindError. The desk outlives this.
  Web(net::AsioLoop& loop, async::Workers& workers, Desk& desk, const Address& address, Entrance entrance,
      Hooks hooks);

  // What is bound: "127.0.0.1:9125".
  const std::string& address() const { return acceptor_->address(); }
  // Of requests that come from now on. Where it listens, and so who can connect, stays.
  void use(Secret token, std::vector<std::string> hosts) {
    entrance_.token = std::move(token);
    entrance_.hosts = std::move(hosts);
  }
  // Questions that take a while are under way.
  bool is_busy() const { return questions_ > 0 || captured_.is_busy(); }
  // No new connections. Requests under way end with them.
  void close() { acceptor_->close(); }

 private:
  async::Task<void> answer(http::Exchange& exchange);
  async::Task<void> refuse(http::Exchange& exchange, const http::Answer& refusal);
  async::Task<void> tell_ready(http::Exchange& exchange);
  async::Task<void> tell_metrics(http::Exchange& exchange);
  async::Task<void> tell_series(http::Exchange& exchange);
  async::Task<void> tell_lanes(http::Exchange& exchange, const LaneFilter& filter);
  async::Task<void> tell_slowly(http::Exchange& exchange, const Asked& asked);
  async::Task<void> tell_page(http::Exchange& exchange);
  async::Task<void> tell_lines(http::Exchange& exchange, const Request& request);
  async::Task<void> tell_object(http::Exchange& exchange, const Request& request);
  async::Task<void> tell_message(http::Exchange& exchange, const Request& request);

  async::Loop& loop_;
  async::Workers& workers_;
  Desk& desk_;
  Entrance entrance_;
  Hooks hooks_;
  unsigned guesses_ = 0;    // wrong tokens whose answers wait
  unsigned questions_ = 0;  // slow ones, under way
  CapturedDesk captured_;
  Events events_;
  http::Server server_;
  std::unique_ptr<net::Acceptor> acceptor_;
};

}  // namespace relayd::watch
