#include "watch/metrics.hpp"

#include <algorithm>
#include <cstddef>
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
    all.push_back(single(gauge, "relayd_configuration_errors",
                         "Errors of the last reload; the configuration before it stays in use.",
                         static_cast<double>(status.configuration->errors)));
  }
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
  messages.add({"waiting"}, static_cast<double>(totals.waiting));
  messages.add({"ready"}, static_cast<double>(totals.ready));
  messages.add({"held"}, static_cast<double>(totals.held));
  messages.add({"failed"}, static_cast<double>(totals.failed));
  all.push_back(std::move(messages));
  all.push_back(single(gauge, "relayd_queue_oldest_age_seconds",
                       "Age of the oldest message that is still to be sent; 0: there is none.",
                       status.oldest ? std::max(0.0, seconds(status.now - status.oldest->accepted)) : 0));
  all.push_back(single(counter, "relayd_queue_troubles_total", "Troubles of the queue's disk that were told.",
                       static_cast<double>(totals.troubles)));
}

// The quota that leaves least.
const LaneStatus::Quota* tightest(const LaneStatus& lane) {
  const auto found = std::ranges::min_element(lane.quotas, {}, &LaneStatus::Quota::left);
  return found == lane.quotas.end() ? nullptr : &*found;
}

void add_lanes(const Status& status, std::vector<Family>& all) {
  const Labels way = {"upstream", "account"}, with_state = {"upstream", "account", "state"};
  Family state = gauge("relayd_lane_state",
                       "1 for the state that a lane is in, an upstream with one account.", with_state, 7000);
  Family connections = gauge("relayd_lane_connections", "Connections to an upstream.", with_state);
  Family allowed = gauge("relayd_lane_connections_allowed", "Connections that it may have.", way);
  Family waiting = gauge("relayd_lane_messages_waiting", "Messages in line for a lane.", way);
  Family left = gauge("relayd_lane_quota_left", "What is left of the quota that leaves least.", way);
  for (const LaneStatus& lane : status.lanes) {
    for (const LaneStatus::State one : states)
      state.add({lane.upstream, lane.account, to_string(one)}, one == lane.state ? 1 : 0);
    connections.add({lane.upstream, lane.account, "busy"}, static_cast<double>(lane.busy));
    connections.add({lane.upstream, lane.account, "idle"}, static_cast<double>(lane.idle));
    allowed.add({lane.upstream, lane.account}, lane.allowed);
    waiting.add({lane.upstream, lane.account}, static_cast<double>(lane.waiting));
    if (const LaneStatus::Quota* const quota = tightest(lane))
      left.add({lane.upstream, lane.account}, static_cast<double>(quota->left));
  }
  for (Family* const one : {&state, &connections, &allowed, &waiting, &left}) all.push_back(std::move(*one));
}

}  // namespace

std::vector<Family> standing_of(const Status& status) {
  std::vector<Family> all;
  add_process(status, all);
  add_queue(status, all);
  add_lanes(status, all);
  return all;
}

std::string metrics_text(const Status& status, std::span<const Family> counted) {
  return telemetry::render(counted) + telemetry::render(standing_of(status));
}

}  // namespace relayd::watch
