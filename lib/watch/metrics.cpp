#include "watch/metrics.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

namespace relayd::watch {

namespace {

using telemetry::Family;
using telemetry::MetricKind;
using Labels = std::vector<std::string_view>;

constexpr LaneStatus::State states[] = {LaneStatus::State::stopped,       LaneStatus::State::paused,
                                        LaneStatus::State::quota_used_up, LaneStatus::State::probing,
                                        LaneStatus::State::slowed,        LaneStatus::State::open,
                                        LaneStatus::State::idle};

Family family(MetricKind kind, std::string_view name, std::string_view help, Labels labels = {},
              std::size_t most = 2000) {
  return Family(telemetry::MetricShape{kind, name, help, std::move(labels), {}, most});
}
Family gauge(std::string_view name, std::string_view help, Labels labels = {}, std::size_t most = 2000) {
  return family(MetricKind::gauge, name, help, std::move(labels), most);
}
// One that has this value.
Family single(MetricKind kind, std::string_view name, std::string_view help, double value) {
  Family one = family(kind, name, help);
  one.add({}, value);
  return one;
}

double seconds(Duration time) {
  return std::chrono::duration<double>(time).count();
}
double unix_time(WallTime time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

void add_reloads(const Status& status, std::vector<Family>& all) {
  if (!status.configuration) return;
  Family reloads =
      family(MetricKind::counter, "relayd_reloads_total", "Reloads of the configuration.", {"state"});
  reloads.add({"taken"}, static_cast<double>(status.configuration->taken));
  reloads.add({"refused"}, static_cast<double>(status.configuration->refused));
  all.push_back(std::move(reloads));
}

void add_process(const Status& status, std::vector<Family>& all) {
  using enum MetricKind;
  Family build =
      watch::gauge("relayd_build_info", "The version of relayd, as a label; always 1.", {"version"});
  build.add({RELAYD_VERSION});
  all.push_back(std::move(build));
  all.push_back(single(gauge, "relayd_start_time_seconds", "When relayd started, in seconds since 1970.",
                       unix_time(status.now) - seconds(status.uptime)));
  if (status.configuration) {
    all.push_back(single(gauge, "relayd_configuration_loaded_time_seconds",
                         "When the configuration in use was read, in seconds since 1970.",
                         unix_time(status.configuration->loaded)));
    all.push_back(single(gauge, "relayd_configuration_age_seconds",
                         "Since the configuration in use was read, at the start or by a reload.",
                         seconds(status.now - status.configuration->loaded)));
    all.push_back(single(gauge, "relayd_configuration_errors",
                         "Errors of the last reload; the configuration before it stays in use.",
                         static_cast<double>(status.configuration->errors)));
  }
  add_reloads(status, all);
  Family clients = watch::gauge("relayd_client_connections",
                                "Connections of clients, on this machine or elsewhere.", {"state"});
  clients.add({"local"}, static_cast<double>(status.clients.local));
  clients.add({"remote"}, static_cast<double>(status.clients.others));
  all.push_back(std::move(clients));
  all.push_back(single(gauge, "relayd_suppressed_recipients", "Recipients on the list of suppressed ones.",
                       static_cast<double>(status.suppressed.count)));
}

void add_queue(const Status& status, std::vector<Family>& all) {
  using enum MetricKind;
  const queue::Totals& totals = status.totals;
  Family messages = watch::gauge("relayd_queue_messages", "Messages in the queue.", {"state"});
  Family octets =
      watch::gauge("relayd_queue_messages_bytes", "Octets of the messages in the queue.", {"state"});
  const auto add = [&](queue::MessageState state, std::size_t count) {
    messages.add({queue::to_string(state)}, static_cast<double>(count));
    octets.add({queue::to_string(state)},
               static_cast<double>(totals.octets[static_cast<std::size_t>(state)].count));
  };
  add(queue::MessageState::waiting, totals.waiting);
  add(queue::MessageState::ready, totals.ready);
  add(queue::MessageState::held, totals.held);
  add(queue::MessageState::failed, totals.failed);
  add(queue::MessageState::reporting, totals.reporting);
  all.push_back(std::move(messages));
  all.push_back(std::move(octets));
  all.push_back(single(gauge, "relayd_queue_held_in_doubt",
                       "Messages, or parts of them, that are held since an upstream may have taken them.",
                       static_cast<double>(totals.held_in_doubt)));
  all.push_back(single(gauge, "relayd_queue_oldest_age_seconds",
                       "Age of the oldest message that is still to be sent; 0: there is none.",
                       status.oldest ? std::max(0.0, seconds(status.now - status.oldest->accepted)) : 0));
  all.push_back(single(counter, "relayd_queue_troubles_total", "Troubles of the queue's disk that were told.",
                       static_cast<double>(totals.troubles)));
}

void add_disk(const Status& status, std::vector<Family>& all) {
  using enum MetricKind;
  if (status.disk_free)
    all.push_back(single(gauge, "relayd_queue_disk_free_bytes",
                         "What the disk of the queue has free for relayd.",
                         static_cast<double>(status.disk_free->count)));
  all.push_back(single(gauge, "relayd_queue_files_bytes", "What the files of the queue take of its disk.",
                       static_cast<double>(status.disk.files.count)));
  Family syncs(telemetry::MetricShape{
      histogram,
      "relayd_queue_sync_duration_seconds",
      "How long a sync of the queue took, of the log of messages or of what happens to them.",
      {"class"},
      {queue::SyncTimes::bounds.begin(), queue::SyncTimes::bounds.end()}});
  syncs.observe({"messages"}, status.disk.messages.in_bucket, status.disk.messages.sum);
  syncs.observe({"state"}, status.disk.state.in_bucket, status.disk.state.sum);
  all.push_back(std::move(syncs));
}

void add_handshakes(Family& to, std::string_view of, const async::Handshakes& counts) {
  to.add({of, "full"}, static_cast<double>(counts.full));
  to.add({of, "resumed"}, static_cast<double>(counts.resumed));
  to.add({of, "failed"}, static_cast<double>(counts.failed));
}

void add_connections(const Status& status, std::vector<Family>& all) {
  using enum MetricKind;
  Family connections =
      family(counter, "relayd_connections_total",
             "Connections to an upstream: opened, ready for mail, or failed, at which stage.",
             {"upstream", "state", "stage"}, 7000);
  Family upstreams = family(counter, "relayd_tls_handshakes_total", "TLS handshakes with an upstream.",
                            {"upstream", "state"});
  Family listeners = family(counter, "relayd_intake_tls_handshakes_total", "TLS handshakes with clients.",
                            {"listener", "state"});
  for (const Status::Upstream& one : status.upstreams) {
    connections.add({one.name, "opened", ""}, static_cast<double>(one.opened));
    for (const auto& [stage, count] : one.failed)
      connections.add({one.name, "failed", stage}, static_cast<double>(count));
    add_handshakes(upstreams, one.name, one.handshakes);
  }
  for (const Status::Listener& one : status.listeners) add_handshakes(listeners, one.address, one.handshakes);
  for (Family* const one : {&connections, &upstreams, &listeners}) all.push_back(std::move(*one));
}

// What has ended already is below zero.
void add_certificates(const Status& status, std::vector<Family>& all) {
  Family left =
      gauge("relayd_certificate_left_seconds",
            "Until a certificate ends: of a listener, of ours as a client of an upstream, or what an "
            "upstream's server showed last.",
            {"class", "upstream", "listener"});
  for (const Status::Certificate& one : status.certificates) {
    if (!one.until) continue;
    const bool is_listener = one.kind == "listener";
    left.add_least({one.kind, is_listener ? "" : one.name, is_listener ? one.name : ""},
                   seconds(*one.until - status.now));
  }
  all.push_back(std::move(left));
}

void add_webhooks(const Status& status, std::vector<Family>& all) {
  if (status.webhooks.empty()) return;
  using enum MetricKind;
  double sent = 0, dropped = 0, waiting = 0;
  for (const Status::Webhook& one : status.webhooks) {
    sent += static_cast<double>(one.sent);
    dropped += static_cast<double>(one.dropped);
    waiting += static_cast<double>(one.waiting);
  }
  Family events = family(counter, "relayd_webhook_events_total",
                         "Events for receivers of webhooks: taken by one, or dropped untold.", {"state"});
  events.add({"sent"}, sent);
  events.add({"dropped"}, dropped);
  all.push_back(std::move(events));
  Family receivers = watch::gauge(
      "relayd_webhook_receivers",
      "Receivers of webhooks: well, failing, or disabled by what they said themselves.", {"state"});
  for (const char* const state : {"well", "failing", "disabled"}) receivers.add({state}, 0);
  for (const Status::Webhook& one : status.webhooks)
    receivers.add({one.disabled ? "disabled" : one.failure.empty() ? "well" : "failing"});
  all.push_back(std::move(receivers));
  all.push_back(single(gauge, "relayd_webhook_waiting_bytes", "What waits on disk for receivers of webhooks.",
                       waiting));
}

// What the account watch has seen, and what ends.
void add_accounts(const Status& status, std::vector<Family>& all) {
  const Labels labels = {"upstream", "account"};
  Family ok =
      gauge("relayd_account_ok",
            "1 where the account watch found all well at its last look, 0 where something fails.", labels);
  for (const Account& account : status.accounts)
    ok.add_least({account.name.upstream, account.name.account}, account.well ? 1 : 0);
  Family left = gauge("relayd_credential_left_seconds", "Until a secret of an account ends.",
                      {"class", "upstream", "account"});
  for (const Status::Credential& one : status.credentials)
    left.add_least({one.kind, one.of.upstream, one.of.account}, seconds(one.until - status.now));
  if (!status.accounts.empty()) all.push_back(std::move(ok));
  if (!status.credentials.empty()) all.push_back(std::move(left));
}

// What the metrics tell of a lane, or of several as one: added up, or the least of what is left.
struct LaneFigures {
  std::string_view upstream, account;
  std::size_t in_state[std::size(states)] = {};
  std::map<std::string_view, std::size_t> troubled = {};  // by class
  std::size_t busy = 0, idle = 0, allowed = 0, waiting = 0;
  std::optional<std::uint64_t> quota_left = {}, rate_left = {};
  double recipients_per_minute = 0, messages_per_minute = 0;

  void add(const LaneStatus& lane);
};

void keep_least(std::optional<std::uint64_t>& least, std::uint64_t value) {
  least = std::min(least.value_or(value), value);
}

void LaneFigures::add(const LaneStatus& lane) {
  ++in_state[static_cast<std::size_t>(lane.state)];
  if (lane.state == LaneStatus::State::paused || lane.state == LaneStatus::State::probing)
    ++troubled[lane.reply_class];
  busy += lane.busy;
  idle += lane.idle;
  allowed += lane.allowed;
  waiting += lane.waiting;
  for (const LaneStatus::Quota& quota : lane.quotas) keep_least(quota_left, quota.left);
  if (lane.rate_left) keep_least(rate_left, *lane.rate_left);
  recipients_per_minute += lane.recipients_per_minute;
  messages_per_minute += lane.messages_per_minute;
}

// The first so many lanes have series of their own, all others share one: a lane is in every family or in
// none, so that families can be joined.
constexpr std::size_t most_lanes = 1000;

std::vector<LaneFigures> figures_of(const std::vector<LaneStatus>& lanes) {
  std::vector<LaneFigures> all;
  for (const LaneStatus& lane : lanes) {
    if (all.size() < most_lanes)
      all.push_back({lane.upstream, lane.account});
    else if (all.size() == most_lanes)
      all.push_back({telemetry::rest, telemetry::rest});
    all.back().add(lane);
  }
  return all;
}

void add_lanes(const Status& status, std::vector<Family>& all) {
  const Labels way = {"upstream", "account"}, with_state = {"upstream", "account", "state"};
  Family state =
      gauge("relayd_lane_state", "1 for the state that a lane is in, an upstream with one account.",
            with_state, std::size(states) * most_lanes);
  Family trouble = gauge("relayd_lane_trouble",
                         "1 for a lane that is paused, or tried again after a pause, by what went wrong.",
                         {"upstream", "account", "class"});
  Family connections = gauge("relayd_lane_connections", "Connections to an upstream.", with_state);
  Family allowed = gauge("relayd_lane_connections_allowed", "Connections that it may have.", way);
  Family waiting = gauge("relayd_lane_messages_waiting", "Messages in line for a lane.", way);
  Family left = gauge("relayd_lane_quota_left", "What is left of the quota that leaves least.", way);
  Family rate_left = gauge("relayd_lane_rate_left",
                           "What the rates of a lane let go at this moment, of whichever they count.", way);
  Family rate = gauge("relayd_lane_rate_per_second", "How fast a lane may send, of what it counts.",
                      {"upstream", "account", "class"});
  for (const LaneFigures& lane : figures_of(status.lanes)) {
    const std::string_view upstream = lane.upstream, account = lane.account;
    for (const LaneStatus::State one : states)
      state.add({upstream, account, to_string(one)},
                static_cast<double>(lane.in_state[static_cast<std::size_t>(one)]));
    for (const auto& [reply_class, count] : lane.troubled)
      trouble.add({upstream, account, reply_class}, static_cast<double>(count));
    connections.add({upstream, account, "busy"}, static_cast<double>(lane.busy));
    connections.add({upstream, account, "idle"}, static_cast<double>(lane.idle));
    allowed.add({upstream, account}, static_cast<double>(lane.allowed));
    waiting.add({upstream, account}, static_cast<double>(lane.waiting));
    if (lane.quota_left) left.add_least({upstream, account}, static_cast<double>(*lane.quota_left));
    if (lane.rate_left) rate_left.add_least({upstream, account}, static_cast<double>(*lane.rate_left));
    if (lane.recipients_per_minute > 0)
      rate.add({upstream, account, "recipients"}, lane.recipients_per_minute / 60);
    if (lane.messages_per_minute > 0)
      rate.add({upstream, account, "messages"}, lane.messages_per_minute / 60);
  }
  for (Family* const one : {&state, &trouble, &connections, &allowed, &waiting, &left, &rate_left, &rate})
    all.push_back(std::move(*one));
}

}  // namespace

std::vector<Family> standing_of(const Status& status) {
  std::vector<Family> all;
  add_process(status, all);
  add_queue(status, all);
  add_disk(status, all);
  add_lanes(status, all);
  add_connections(status, all);
  add_certificates(status, all);
  add_webhooks(status, all);
  add_accounts(status, all);
  return all;
}

std::string metrics_text(Status status, std::vector<Family> counted, telemetry::MetricFormat format) {
  std::string text = telemetry::render(counted, format) + telemetry::render(standing_of(status), format);
  if (format == telemetry::MetricFormat::openmetrics) text += "# EOF\n";
  return text;
}

}  // namespace relayd::watch
