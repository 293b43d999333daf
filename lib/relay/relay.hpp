// Relay: the stages joined, from the first listener to the last outcome. One object is one running relay.
//
// Owned by main (the demo owns three). Everything happens on the loop's thread, but for the queue's threads
// and the workers.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "accept/listener.hpp"
#include "queue/queue.hpp"
#include "relay/account_watch.hpp"
#include "relay/collector.hpp"
#include "relay/dispatcher.hpp"
#include "relay/doctor.hpp"
#include "relay/history_book.hpp"
#include "relay/intake_policy.hpp"
#include "relay/queue_loading.hpp"
#include "relay/reloader.hpp"
#include "relay/reporter.hpp"
#include "relay/setup.hpp"
#include "relay/suppression_book.hpp"
#include "relay/token_clients.hpp"
#include "relay/token_keepers.hpp"
#include "relay/webhook_clients.hpp"
#include "relay/webhooks.hpp"
#include "shared/async/workers.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shared/net/asio_loop.hpp"
#include "shared/net/dialer.hpp"
#include "shared/process/confinement.hpp"
#include "shared/telemetry/log.hpp"
#include "tell/metrics.hpp"
#include "watch/admin.hpp"
#include "watch/series.hpp"
#include "watch/web.hpp"

namespace relayd {

class Relay {
 public:
  Relay(net::AsioLoop& loop, telemetry::Log& log, Setup setup);
  ~Relay();

  // Takes hold of the queue, and listens. Throws queue::QueueError or net::BindError; nothing is left open
  // then. Starts no thread, so that the process can be confined between this and start().
  void listen();

  // Called once: the queue was read, and mail is taken; or why not.
  using OnOpened = std::function<void(const std::string& failure)>;
  // Reads the queue, while clients are put off and the operator hears how far it is.
  void start(OnOpened on_opened);

  // What the process may do since it gave up its rights, for status and for what a reload can change.
  void runs_as(process::Standing standing) { standing_ = std::move(standing); }
  // Who reads the configuration again, for the operator; outlives this. Without, nobody does.
  void reloads_by(Reloader& reloader) { reloader_ = &reloader; }
  // What says to the operator what would become of a message: a text, or what is wrong with the question.
  // Blocks; on a helper thread. Without, nothing does.
  using Explain = std::function<Result<std::string>(std::shared_ptr<const config::Config>,
                                                    const watch::ExplainQuestion&)>;
  void explains_by(Explain explain) { explain_ = std::move(explain); }
  // Where it listens, with the ports that the kernel chose.
  std::vector<std::string> addresses() const;

  // Goes on with another configuration. Returns what could not be changed while running, in words; empty: all
  // was.
  std::string use(Setup setup);

  // No new connections or attempts; what is under way gets until the deadline and is then cut. True:
  // everything is settled and on disk. False: something hangs (a name that does not resolve, a disk that does
  // not sync); end the process without unwinding, as a crash would: nothing acknowledged is lost.
  async::Task<bool> shut_down(Deadline deadline);
  // Cuts what is under way.
  void abort();

  void subscribe(tell::Subscriber subscriber) { publisher_.subscribe(std::move(subscriber)); }
  // The operator has asked what takes a while, and waits.
  bool is_asked() const { return web_ && web_->is_busy(); }
  // Nothing while the queue is being read.
  std::optional<queue::Totals> totals() const;

 private:
  struct Drained {
    async::Event moment;
    bool all = false;
  };

  void take_hold();
  void tell_of_staging();
  async::Task<void> open(OnOpened on_opened);
  void begin();
  accept::Surroundings surroundings(async::Workers& workers);
  void listen(const config::Listener& listener);
  void open_window();
  void open_web();
  watch::Entrance entrance() const;
  async::Task<std::vector<std::string>> not_ready();
  async::Task<Result<std::string>> explain(const watch::ExplainQuestion& question);
  std::vector<watch::CapturedPlace> captured() const;
  async::Task<Result<std::string>> search_history(const watch::HistoryQuestion& question);
  std::optional<watch::Status> starting() const;
  async::Task<watch::Status> running() const;
  void describe_listeners(watch::Status& status) const;
  void arrange_point();
  void look(watch::Status& status);
  std::string provider_id_of(const std::string& upstream, const queue::RecipientOutcome& recipient) const;
  Webhooks::Hooks webhook_hooks();
  AccountWatch::Hooks account_hooks();
  async::Task<std::vector<watch::Finding>> examine(std::shared_ptr<const route::Router> router);
  async::Task<std::string> bounce(queue::MessageId id);
  async::Task<watch::Reload> reload();
  async::Task<void> drain(Drained& drained);
  void report(const queue::Recovery& recovery);

  net::AsioLoop& loop_;
  telemetry::Log& log_;
  tell::Publisher publisher_;
  tell::Metrics metrics_;
  Setup setup_;
  async::Workers workers_;
  disk::PosixDisk disk_;
  const Bytes reserve_;  // as the queue was opened with
  queue::Queue queue_;
  QueueLoading loading_;
  HistoryBook history_;
  bool ready_ = false;  // the queue was read
  bool stopping_ = false;
  std::shared_ptr<net::DnsClient> dns_;
  net::NetDialer dialer_;
  TokenClients token_clients_;
  TokenKeepers tokens_;
  Dispatcher dispatcher_;
  SuppressionBook suppressions_;
  IntakePolicy intake_;
  Reporter reporter_;
  WebhookClients webhook_clients_;
  Webhooks webhooks_;
  net::NetDialer doctor_dialer_;
  Doctor doctor_;
  AccountWatch account_watch_;
  accept::Penalties penalties_;
  accept::Gate gate_;
  accept::Listener::Counts counts_;
  std::vector<std::unique_ptr<accept::Listener>> listeners_;
  std::unique_ptr<Collector> collector_;  // null: there is no drop folder
  std::unique_ptr<watch::Desk> desk_;
  std::unique_ptr<watch::Admin> admin_;
  std::unique_ptr<watch::Web> web_;  // null: no `http`
  Reloader* reloader_ = nullptr;
  Explain explain_;
  std::string http_address_;  // that is bound; empty: none
  SteadyTime started_;
  watch::Series series_;
  async::Timer series_timer_;
  process::Standing standing_;
  Drained drained_;
  async::Scope opening_;
  async::Scope draining_;
  async::Workers window_workers_;
  async::Workers doctor_workers_;
  async::Workers login_workers_;
};

}  // namespace relayd
