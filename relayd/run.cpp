// relayd run: the daemon.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sysexits.h>

#include <csignal>
#include <cstdlib>
#include <optional>
#include <utility>

#include "commands.hpp"
#include "explain.hpp"
#include "relay/relay.hpp"
#include "relay/reloader.hpp"
#include "service.hpp"
#include "shared/net/inherited.hpp"
#include "shared/process/privileges.hpp"
#include "start.hpp"

namespace relayd::command {

namespace {

Result<std::string> explain_for_the_window(const std::shared_ptr<const config::Config>& config,
                                           const watch::ExplainQuestion& question) {
  Options options;
  options.sender = question.sender;
  options.recipient = question.recipient;
  options.client = question.client;
  options.account = question.account;
  options.listener = question.listener;
  Explanation explanation = explanation_of(config, options);
  if (!explanation.errors.empty()) return Error{explanation.errors.front().text};
  return std::move(explanation.text);
}

class Daemon {
 public:
  Daemon(const Options& options, Start start, process::ServiceManager& manager)
      : options_(options),
        standing_(std::move(start.standing)),
        names_user_(!start.setup.config->user.empty()),
        log_(make_log(start.setup.config->log)),
        files_(std::move(start.files)),
        relay_(loop_, log_, std::move(start.setup)),
        reloader_(
            loop_, log_, [file = config_file(options)] { return make_setup(file); },
            [this](Setup setup) { return relay_.use(std::move(setup)); }),
        service_(loop_, manager, [this] { return standing_of_the_queue(); }) {
    reloader_.on_reload([this](bool begins) { service_.reloading(begins); });
    relay_.reloads_by(reloader_);
    relay_.explains_by(explain_for_the_window);
    log_.on_pending([this](Duration after) { loop_.call_at(loop_.now() + after, [this] { log_.flush(); }); });
  }

  int run() {
    relay_.listen();
    warn_of_unused_sockets();
    give_up_rights();
    service_.starting();
    relay_.start([this](const std::string& failure) {
      if (failure.empty())
        service_.ready();
      else
        fail(failure);
    });
    reloader_.watch(std::move(files_));
    loop_.on_signal({SIGTERM, SIGINT, SIGHUP}, [this](int signal) { on_signal(signal); });
    loop_.run();
    log_.flush();
    return status_;
  }

  telemetry::Log& log() { return log_; }

 private:
  // Clients that connect there are never answered.
  void warn_of_unused_sockets() {
    for (const std::string& address : net::unused_inherited_sockets())
      log_.warning(
          "socket_unused",
          {{"address", address},
           {"reason",
            "the service manager listens there for relayd, and `listen` does not name it: mail that is "
            "handed in there waits without end. Add it to `listen`, or take it out of the socket unit"}});
  }

  // All is bound, and there is one thread.
  void give_up_rights() {
    process::drop_capabilities();
    const process::User& user = standing_.user;
    const std::optional<process::Confinement>& confinement = standing_.confinement;
    if (confinement) process::forbid_new_unix_sockets(*confinement);
    log_.info("started", {{"version", RELAYD_VERSION},
                          {"user", user.name},
                          {"confinement", confinement ? to_string(*confinement) : "none"}});
    if (confinement && !confinement->lacks.empty())
      log_.warning("not_confined", {{"reason", confinement->lacks}});
    if (user.uid == 0 && !names_user_)
      log_.warning(
          "runs_as_root",
          {{"reason",
            "root may not become another user here; or root owns the queue's directory and there is "
            "no user relayd. Make that user and give it the directory (chown -R), or write `user: root`"}});
    relay_.runs_as(std::move(standing_));
  }

  // For `systemctl status`.
  std::string standing_of_the_queue() const {
    const std::optional<queue::Totals> totals = relay_.totals();
    if (!totals) return "Reading the queue";
    return fmt::format("{} waiting, {} held, {} failed", totals->waiting + totals->ready, totals->held,
                       totals->failed);
  }

  void on_signal(int signal) {
    if (signal == SIGHUP) {
      reloader_.request();
    } else if (stopping_) {
      relay_.abort();  // asked twice: what is under way is tried again after the next start
    } else {
      stopping_ = true;
      service_.stopping("");
      scope_.spawn(stop());
    }
  }

  // The queue cannot be read.
  void fail(const std::string& reason) {
    log_.error("stopped", {{"reason", reason}});
    status_ = EX_OSERR;
    if (std::exchange(stopping_, true)) return;
    service_.stopping(reason);
    scope_.spawn(end(loop_.now()));
  }

  async::Task<void> stop() {
    const SteadyTime deadline = relay_.totals() ? loop_.now() + options_.grace : loop_.now();
    co_await end(deadline);
  }

  async::Task<void> end(Deadline deadline) {
    reloader_.close();
    const bool drained = co_await relay_.shut_down(deadline);
    const std::optional<queue::Totals> totals = relay_.totals();
    if (totals)
      log_.info(
          "stopped",
          {{"waiting", totals->waiting + totals->ready}, {"held", totals->held}, {"failed", totals->failed}});
    else if (status_ == EX_OK)
      log_.info("stopped", {{"reason", "before the queue was read"}});
    log_.flush(std::chrono::seconds(1));
    if (!drained || reloader_.busy() || relay_.is_asked()) std::_Exit(status_);
    loop_.stop();
  }

  Options options_;
  process::Standing standing_;  // until the relay has it
  bool names_user_;             // the configuration has `user:`
  net::AsioLoop loop_;
  telemetry::Log log_;
  disk::FileStamps files_;  // until the reloader has them
  Relay relay_;
  Reloader reloader_;
  Service service_;
  async::Scope scope_;
  bool stopping_ = false;
  int status_ = EX_OK;
};

// Each connection and each journal segment has a descriptor.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

int run(const Options& options) {
  net::close_what_was_not_handed_over();
  process::ServiceManager manager;
  std::optional<Start> start = make_start(options, true);
  if (!start) return EX_CONFIG;
  print({}, start->warnings);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  raise_descriptor_limit();
  const process::User user = start->standing.user;
  Daemon daemon(options, std::move(*start), manager);
  try {
    return daemon.run();
  } catch (const std::runtime_error& error) {  // of the queue, of an address, of the rights
    daemon.log().error("stopped", {{"reason", error.what()}, {"user", user.name}});
  }
  daemon.log().flush();
  return EX_OSERR;
}

}  // namespace relayd::command
