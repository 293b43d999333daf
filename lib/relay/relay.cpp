#include "relay/relay.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "relay/doubt.hpp"
#include "relay/instance.hpp"
#include "tell/log.hpp"

namespace relayd {

using async::Task;

namespace {

constexpr unsigned helper_threads = 4;
constexpr unsigned login_threads = 2;   // not the others': strangers decide how much there is to derive
constexpr unsigned window_threads = 1;  // one search at a time: files may be large
constexpr unsigned doctor_threads = 1;  // commands of secrets may take their time
constexpr auto patience_after_abort = std::chrono::seconds(2);

queue::Options queue_options(const config::Config& config) {
  queue::Options options;
  options.directory = config.queue.directory;
  options.reserve = config.queue.reserve;
  options.keep_failed = config.queue.keep_failed;
  return options;
}

// Empty: the window over HTTP is off.
std::string http_address(const config::Config& config) {
  return config.http ? config.http->address : std::string();
}

}  // namespace

Relay::Relay(net::AsioLoop& loop, telemetry::Log& log, Setup setup)
    : loop_(loop),
      log_(log),
      publisher_(log),
      setup_(std::move(setup)),
      workers_(loop, helper_threads),
      reserve_(setup_.config->queue.reserve),
      queue_(loop, workers_, disk_, queue_options(*setup_.config)),
      loading_(loop, workers_, log, queue_),
      history_(loop, workers_, disk_, log, *setup_.config),
      dns_(std::make_shared<net::DnsClient>(loop)),
      dialer_(loop, {}, dns_),
      token_clients_(loop, dns_),
      tokens_(loop, log, disk_, [this](const TokenServer& server) { return token_clients_.connect(server); }),
      dispatcher_(loop, workers_, disk_, log, publisher_, dialer_, queue_, setup_),
      suppressions_(loop, workers_, disk_, log, publisher_),
      intake_(loop, log, publisher_, queue_, dispatcher_.lanes(), suppressions_, setup_),
      reporter_(loop, workers_, log, publisher_, queue_, dispatcher_.lanes(), intake_, setup_),
      webhook_clients_(loop, dns_),
      webhooks_({loop, workers_, disk_, log, queue_, Bytes{setup_.config->queue.reserve.count / 2}},
                webhook_hooks(), setup_.config->log.addresses == config::LogAddresses::masked),
      doctor_dialer_(loop, {}, dns_),
      doctor_({loop, doctor_workers_, doctor_dialer_,
               [this](const std::string& host, Deadline deadline, std::stop_token stop) {
                 return dns_->addresses(host, deadline, std::move(stop));
               },
               [this](const route::Choice& choice) { return &tokens_.of(token_account(choice)); }}),
      account_watch_(loop, log, account_hooks()),
      started_(loop.now()),
      series_timer_(loop),
      window_workers_(loop, window_threads),
      doctor_workers_(loop, doctor_threads),
      login_workers_(loop, login_threads) {
  dispatcher_.use(
      [this](const route::Choice& choice) -> send::Tokens& { return tokens_.of(token_account(choice)); });
  tokens_.use(token_accounts(*setup_.router));
  publisher_.subscribe(history_.subscriber());
  suppressions_.use(setup_.config->suppress);
  publisher_.subscribe(metrics_.subscriber());
  publisher_.subscribe(suppressions_.subscriber());
  publisher_.subscribe(webhooks_.subscriber());
}

Webhooks::Hooks Relay::webhook_hooks() {
  return {[this](const config::Webhook& webhook) { return webhook_clients_.connect(webhook); },
          [this](const std::string& upstream, const queue::RecipientOutcome& recipient) {
            return provider_id_of(upstream, recipient);
          }};
}

AccountWatch::Hooks Relay::account_hooks() {
  return {[this](std::shared_ptr<const route::Router> router) { return examine(std::move(router)); },
          [this](const std::string& from, const std::vector<std::string>& to, const std::string& subject,
                 const std::vector<std::string>& paragraphs) {
            return reporter_.notify(from, to, subject, paragraphs);
          },
          [this](const watch::Account& account) {
            const std::string reason = text_of(account);
            publisher_.publish(tell::AccountNews{account.name.upstream, account.name.account, account.well,
                                                 account.reply_class, reason});
          }};
}

Task<std::vector<watch::Finding>> Relay::examine(std::shared_ptr<const route::Router> router) {
  const DoctorOrder everybody;
  Task<std::vector<watch::Finding>> examining = doctor_.examine(router, everybody);
  std::vector<watch::Finding> findings = co_await examining;
  const auto look = [router, now = loop_.wall_now()] { return endings(router->config(), now); };
  const std::vector<watch::Finding> more = co_await doctor_workers_.run(look);
  findings.insert(findings.end(), more.begin(), more.end());
  co_return findings;
}

// Jobs write to the frames of whoever asked, which go with the members.
Relay::~Relay() {
  for (async::Workers* workers : {&workers_, &window_workers_, &doctor_workers_, &login_workers_})
    workers->finish();
}

void Relay::listen() {
  take_hold();
  for (const config::Listener& listener : setup_.config->listeners) listen(listener);
  open_window();
}

void Relay::start(OnOpened on_opened) {
  tell_of_staging();
  opening_.spawn(open(std::move(on_opened)));
  loading_.wait_a_moment();
}

// Nobody shall have to wonder where mail is.
void Relay::tell_of_staging() {
  if (setup_.staging->on())
    log_.warning("staging", {{"to", setup_.staging->redirect()},
                             {"reason", "all mail goes there, but for recipients that `allow` names"}});
}

// Before anything is bound: of two relays on one queue the second shall not take the first one's place.
void Relay::take_hold() {
  const std::string& directory = setup_.config->queue.directory;
  try {
    if (disk_.hold(directory)) return;
  } catch (const disk::DiskError& error) {
    throw queue::QueueError(queue::QueueError::Kind::broken,
                            fmt::format("cannot open the queue {}: {}", directory, error.what()));
  }
  throw queue::QueueError(queue::QueueError::Kind::locked,
                          fmt::format("{} is in use by another process", directory));
}

Task<void> Relay::open(OnOpened on_opened) {
  queue_.on_trouble([this](const std::string& line) { log_.error("queue_trouble", {{"reason", line}}); });
  queue_.on_due([this](queue::Shipment& shipment) { dispatcher_.dispatch(shipment); });
  std::string failure;
  try {
    const bool whole = co_await loading_.run();
    if (!whole || stopping_) co_return;
    co_await workers_.run([this] { suppressions_.load(); });
    if (stopping_) co_return;
    begin();
  } catch (const queue::QueueError& error) {
    failure = error.what();
  } catch (const disk::DiskError& error) {
    failure = fmt::format("cannot open the queue {}: {}", setup_.config->queue.directory, error.what());
  }
  on_opened(failure);
}

// Mail flows from here on.
void Relay::begin() {
  const queue::Recovery recovery = queue_.begin();
  report(recovery);
  std::string mark = instance_mark(disk_);
  // What an upstream may have taken before a crash, and the operator shall look first.
  for (const queue::MessageId id : recovery.in_doubt)
    if (queue::Message* const message = queue_.find(id))
      hold_doubtful(queue_, log_, setup_.config->queue.in_doubt, *message);
  history_.open();
  dispatcher_.open(mark);
  suppressions_.open();
  intake_.open(std::move(mark));
  queue_.on_debt([this](queue::MessageId id) {
    reporter_.owe(id);
    webhooks_.owe(id);
  });
  reporter_.begin();
  webhooks_.begin(setup_.config->webhooks, *setup_.webhook_secrets);
  account_watch_.begin(setup_.router);
  series_.begin(loop_.now(), metrics_.sums());
  arrange_point();
  ready_ = true;
  collector_ = make_collector(loop_, surroundings(workers_), setup_.config);
}

std::optional<queue::Totals> Relay::totals() const {
  if (!ready_) return std::nullopt;
  return queue_.totals();
}

Task<std::string> Relay::bounce(queue::MessageId id) {
  std::string refusal;
  try {
    refusal = co_await dispatcher_.delete_all(id);
  } catch (const queue::QueueError& error) {
    refusal = error.what();
  }
  if (refusal.empty()) reporter_.remove_when_told(id);
  co_return refusal;
}

Task<watch::Reload> Relay::reload() {
  watch::Reload reload;
  if (reloader_)
    reload = co_await reloader_->reload();
  else
    reload.errors.emplace_back("this relay has no configuration to read again");
  co_return reload;
}

accept::Surroundings Relay::surroundings(async::Workers& workers) {
  return {loop_, workers, log_, intake_, penalties_, gate_};
}

void Relay::listen(const config::Listener& listener) {
  try {
    listeners_.push_back(std::make_unique<accept::Listener>(loop_, surroundings(login_workers_),
                                                            setup_.config, listener, setup_.tls, counts_));
  } catch (const net::BindError& error) {
    // [::1] is listened on by default, but not every container has it.
    const bool is_default = listener.where.line == 0 && !listeners_.empty();
    if (!is_default || !error.no_such_address()) throw;
    return log_.info("not_listening", {{"address", listener.address}, {"reason", error.what()}});
  }
  log_.info("listening", {{"address", listeners_.back()->address()}, {"tls", smtp::to_string(listener.tls)}});
}

void Relay::report(const queue::Recovery& recovery) {
  for (const std::string& line : recovery.set_aside) log_.error("queue_damaged", {{"reason", line}});
  log_.info("queue_opened", {{"directory", setup_.config->queue.directory},
                             {"messages", recovery.messages},
                             {"in_doubt", recovery.in_doubt.size()},
                             {"segments", recovery.segments},
                             {"octets", recovery.read.count},
                             {"seconds", std::chrono::duration<double>(recovery.took).count()}});
  if (recovery.persistent) return;
  const std::string text = fmt::format(
      "{} is on tmpfs or in a container's layer: what waits there is lost with it. Mount a volume on it, or "
      "set "
      "queue.require_persistent to refuse such a start",
      setup_.config->queue.directory);
  if (setup_.config->queue.require_persistent) throw queue::QueueError(queue::QueueError::Kind::broken, text);
  log_.warning("queue_not_persistent", {{"reason", text}});
}

std::vector<std::string> Relay::addresses() const {
  std::vector<std::string> addresses;
  for (const auto& listener : listeners_) addresses.push_back(listener->address());
  return addresses;
}

// What the series have of each step.
void Relay::arrange_point() {
  series_timer_.at(series_.next(), [this] {
    const queue::Totals totals = queue_.totals();
    series_.tick(loop_.now(), metrics_.sums(), totals.waiting + totals.ready);
    arrange_point();
  });
}

std::string Relay::use(Setup setup) {
  const std::shared_ptr<const config::Config> before = setup_.config;
  const config::Config& after = *setup.config;
  setup_ = std::move(setup);
  dialer_.reload();
  token_clients_.reload();
  tokens_.use(token_accounts(*setup_.router));
  dispatcher_.use(setup_);
  doctor_dialer_.reload();
  account_watch_.use(setup_.router);
  history_.use(*setup_.config);
  webhook_clients_.reload();
  webhooks_.use(setup_.config->webhooks, *setup_.webhook_secrets);
  suppressions_.use(setup_.config->suppress);
  tell_of_staging();
  if (collector_) collector_->use(setup_.config);
  std::string left;
  const auto leave = [&left](std::string_view key) {
    left += fmt::format("{}{}", left.empty() ? "" : ", ", key);
  };
  const auto same = [](const config::Listener& a, const config::Listener& b) {
    return a.address == b.address && a.tls == b.tls;
  };
  if (std::equal(before->listeners.begin(), before->listeners.end(), after.listeners.begin(),
                 after.listeners.end(), same) &&
      listeners_.size() == after.listeners.size())
    for (std::size_t i = 0; i < listeners_.size(); ++i)
      listeners_[i]->use(setup_.config, after.listeners[i], setup_.tls);
  else {
    leave("listen");
    if (setup_.tls)
      for (const auto& listener : listeners_) listener->use(setup_.tls);
  }
  if (before->admin_socket() != after.admin_socket()) leave("admin.socket");
  if (http_address_ != http_address(after)) leave("http.address");
  if (web_ && after.http) web_->use(setup_.http_token, after.http->hosts);
  if (before->queue.directory != after.queue.directory) leave("queue.directory");
  if (before->drop_directory() != after.drop_directory()) leave("queue.drop");
  if (before->queue.reserve != after.queue.reserve) leave("queue.reserve");
  if (before->queue.keep_failed != after.queue.keep_failed) leave("queue.keep_failed");
  if (before->log.format != after.log.format || before->log.level != after.log.level ||
      before->log.addresses != after.log.addresses)
    leave("log");
  if (before->user != after.user) leave("user");
  if (before->confinement != after.confinement) leave("confinement");
  if (standing_.confinement)
    for (const std::string& what : process::beyond(standing_.confinement->needs, setup_.needs)) leave(what);
  return left.empty() ? left : fmt::format("takes effect with the next start: {}", left);
}

void Relay::abort() {
  for (const auto& listener : listeners_) listener->abort();
  if (collector_) collector_->abort();
  dispatcher_.abort();
}

// Ends when all is settled; the caller may stop waiting for it.
Task<void> Relay::drain(Drained& drained) {
  // First what must be on disk: a client cannot keep it from that.
  co_await opening_.drained();
  co_await dispatcher_.drained();
  co_await tokens_.drained();
  co_await account_watch_.drained();
  co_await reporter_.drained();
  if (ready_) co_await webhooks_.flush();
  if (ready_) co_await queue_.flush();
  if (ready_) co_await suppressions_.flush();
  for (const auto& listener : listeners_) co_await listener->drained();
  if (collector_) co_await collector_->drained();
  if (ready_) co_await webhooks_.flush();
  co_await webhooks_.drained();
  co_await history_.flush();
  history_.shut_down();
  co_await history_.drained();
  drained.all = true;
  drained.moment.set();
}

Task<bool> Relay::shut_down(Deadline deadline) {
  stopping_ = true;
  loading_.stop();
  for (const auto& listener : listeners_) listener->shut_down();
  if (collector_) collector_->shut_down();
  series_timer_.cancel();
  if (admin_) admin_->close();
  if (web_) web_->close();
  dispatcher_.shut_down();
  tokens_.shut_down();
  doctor_.stop();
  account_watch_.shut_down();
  reporter_.shut_down();
  webhooks_.shut_down();
  // Kept beyond this call: a drain that hangs goes on waiting until the process ends.
  draining_.spawn(drain(drained_));
  async::Timer grace(loop_);
  grace.at(deadline, [this, &grace] {
    abort();
    grace.at(loop_.now() + patience_after_abort, [this] { drained_.moment.set(); });
  });
  co_await drained_.moment;
  co_return drained_.all;
}

}  // namespace relayd
