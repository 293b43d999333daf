// The relay's side of the operator's window: what it is asked by the admin socket and over HTTP.
#include <fmt/format.h>

#include <utility>

#include "relay/history_reader.hpp"
#include "relay/relay.hpp"
#include "relay/status.hpp"
#include "settle/provider_id.hpp"
#include "shared/config/value.hpp"
#include "watch/answer.hpp"

namespace relayd {

using async::Task;

namespace {

watch::Status::Process describe(const process::Standing& standing) {
  watch::Status::Process process{.user = standing.user.name, .uid = standing.user.uid};
  if (!standing.confinement) return process;
  process.confined = true;
  process.landlock = standing.confinement->landlock;
  process.seccomp = standing.confinement->seccomp;
  process.lacks = standing.confinement->lacks;
  return process;
}

}  // namespace

// Where the operator's commands come in. Mail does not need it: a default path that cannot be used is no
// reason to stop.
void Relay::open_window() {
  const config::Config& config = *setup_.config;
  watch::Desk::Hooks hooks{
      [this](const queue::Message& message) { return dispatcher_.upstreams_of(message); },
      [this](const queue::Message& message) { return dispatcher_.routes_of(message); },
      [this](const std::string& upstream, const queue::RecipientOutcome& recipient) {
        return provider_id_of(upstream, recipient);
      },
      [this](const queue::Message& message) { dispatcher_.clear_way(message); },
      [this](const std::string& upstream, const std::string& account, bool stops) {
        return dispatcher_.steer(upstream, account, stops);
      },
      [this](queue::MessageId id) { return bounce(id); },
      [this](const tell::Handled& message) { publisher_.publish(message); },
      [this] { return running(); },
      [this] { return starting(); },
      [this] { return not_ready(); },
      [this](watch::Status& status) { look(status); },
      [this] { return reload(); },
      [this] { return history_.flush(); },
      [this] { return metrics_.families(); },
      suppressions_};
  desk_ = std::make_unique<watch::Desk>(loop_, workers_, queue_, std::move(hooks));
  try {
    admin_ = std::make_unique<watch::Admin>(loop_, *desk_, config.admin_socket());
  } catch (const net::BindError& error) {
    if (!config.admin.socket.empty()) throw;
    log_.warning("not_listening", {{"reason", error.what()}});
  }
  if (config.http) open_web();
}

void Relay::open_web() {
  const config::Http& http = *setup_.config->http;
  const watch::Web::Address address{http.host, http.port, http.unix_path, http.inherited};
  web_ = std::make_unique<watch::Web>(
      loop_, workers_, *desk_, address, entrance(),
      watch::Web::Hooks{[this] { return not_ready(); }, series_,
                        [this](const watch::HistoryQuestion& question) { return search_history(question); },
                        [this](const watch::ExplainQuestion& question) { return explain(question); },
                        [this] { return captured(); }, window_workers_});
  http_address_ = http.address;
  log_.info("listening", {{"address", web_->address()}, {"protocol", "http"}});
}

watch::Entrance Relay::entrance() const {
  const config::Http& http = *setup_.config->http;
  const bool is_local = !http.unix_path.empty() || config::is_loopback_host(http.host);
  return {setup_.http_token, is_local, http.hosts, http.unix_path.empty()};
}

Task<std::vector<std::string>> Relay::not_ready() {
  std::vector<std::string> reasons;
  if (stopping_) reasons.push_back("it is being shut down");
  if (!ready_) reasons.push_back("the queue is being read");
  const auto free_space = [this]() -> std::string {
    try {
      const Bytes free = disk_.free_space();
      if (free >= reserve_) return {};
      return fmt::format("the queue's disk has {} octets left, fewer than 'queue.reserve'", free.count);
    } catch (const disk::DiskError& error) {
      return error.what();
    }
  };
  const std::string fault = co_await workers_.run(free_space);
  if (!fault.empty()) reasons.push_back(fault);
  co_return reasons;
}

Task<Result<std::string>> Relay::search_history(const watch::HistoryQuestion& question) {
  HistoryQuery query{.what = question.what, .since = {}, .failed = question.failed, .limit = question.limit};
  const std::optional<std::string> since =
      question.since.empty() ? std::string() : parse_history_since(question.since);
  if (!since)
    co_return Error{"'since' is a time ago such as 2h or 3d, or a date such as 2026-11-20T09:30:00Z"};
  query.since = *since;
  co_await history_.flush();
  const bool masked = setup_.config->log.addresses == config::LogAddresses::masked;
  const auto search = [&query, masked, directory = setup_.config->queue.directory]() -> Result<std::string> {
    std::string lines;
    try {
      const HistoryFound found = relayd::search_history(history_folder_of(directory), query,
                                                        [&lines, masked](MessageHistory& message) {
                                                          if (masked) mask(message);
                                                          lines += to_json(message) + "\n";
                                                        });
      return lines + watch::line_of({{"end", true}, {"count", found.messages}, {"more", found.more}});
    } catch (const std::system_error& error) {
      return Error{error.what()};
    }
  };
  co_return co_await window_workers_.run(search);
}

std::vector<watch::CapturedPlace> Relay::captured() const {
  std::vector<watch::CapturedPlace> places;
  for (const config::Upstream& upstream : setup_.config->upstreams)
    if (upstream.sandbox_directory) places.push_back({upstream.name, *upstream.sandbox_directory});
  return places;
}

Task<Result<std::string>> Relay::explain(const watch::ExplainQuestion& question) {
  if (!explain_) co_return Error{"nothing is explained here"};
  const auto ask = [this, &question, config = setup_.config] { return explain_(config, question); };
  co_return co_await window_workers_.run(ask);
}

std::optional<watch::Status> Relay::starting() const {
  if (ready_) return std::nullopt;
  watch::Status status;
  status.now = loop_.wall_now();
  status.uptime = loop_.now() - started_;
  status.starting = loading_.progress();
  status.process = describe(standing_);
  return status;
}

Task<watch::Status> Relay::running() const {
  watch::Status status =
      co_await status_of(queue_, dispatcher_.lanes(), dispatcher_.lines(), started_, loop_);
  status.process = describe(standing_);
  if (reloader_) status.configuration = reloader_->standing();
  status.counted = metrics_.sums();
  status.bounced = metrics_.bounced();
  status.clients = {counts_.local, counts_.others};
  status.suppressed = {suppressions_.on(), suppressions_.size()};
  status.webhooks = webhooks_.status();
  status.accounts = account_watch_.accounts();
  for (const watch::CapturedPlace& place : captured()) status.sandboxes.push_back(place.upstream);
  tokens_.for_each_end([&](const TokenAccount& account, SteadyTime until) {
    const auto left = std::chrono::duration_cast<std::chrono::microseconds>(until - loop_.now());
    status.credentials.push_back({"access_token", {account.upstream, account.username}, status.now + left});
  });
  describe_listeners(status);
  co_return status;
}

void Relay::describe_listeners(watch::Status& status) const {
  for (const auto& listener : listeners_) {
    if (!listener->has_tls()) continue;
    status.listeners.push_back({listener->address(), listener->handshakes()});
    if (setup_.tls) status.certificates.push_back({"listener", listener->address(), setup_.tls->until()});
  }
}

// On a helper thread.
void Relay::look(watch::Status& status) {
  for (watch::Status::Certificate& certificate : status.certificates)
    if (!certificate.file.empty()) certificate.until = net::certificate_until(certificate.file);
  try {
    status.disk_free = disk_.free_space();
  } catch (const disk::DiskError&) {
    // It is not known.
  }
}

// By the provider that the upstream has in the present configuration.
std::string Relay::provider_id_of(const std::string& upstream,
                                  const queue::RecipientOutcome& recipient) const {
  std::string_view provider;
  for (const route::Upstream& known : setup_.router->upstreams())
    if (known.name == upstream) provider = known.provider;
  return settle::provider_id(recipient.code, recipient.text, provider);
}

}  // namespace relayd
