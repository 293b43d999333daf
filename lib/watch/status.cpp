#include "watch/status.hpp"

#include <algorithm>
#include <tuple>

#include "watch/answer.hpp"
#include "watch/trouble.hpp"

namespace relayd::watch {

using nlohmann::json;

namespace {

std::int64_t seconds(auto duration) {
  return std::max<std::int64_t>(0, std::chrono::floor<std::chrono::seconds>(duration).count());
}

json describe_queue(const Status& status) {
  const queue::Totals& totals = status.totals;
  json object = {{"waiting", totals.waiting},
                 {"ready", totals.ready},
                 {"held", totals.held},
                 {"failed", totals.failed},
                 {"reporting", totals.reporting}};
  if (status.oldest)
    object["oldest"] = {{"id", queue::to_string(status.oldest->id)},
                        {"accepted", time_text(status.oldest->accepted)},
                        {"age", seconds(status.now - status.oldest->accepted)}};
  return object;
}

json describe(const Status::Process& process) {
  json object = {{"user", process.user}, {"uid", process.uid}, {"confined", process.confined}};
  if (!process.confined) return object;
  object.update({{"landlock", process.landlock}, {"seccomp", process.seccomp}});
  if (!process.lacks.empty()) object["lacks"] = process.lacks;
  return object;
}

json describe(const Status::Configuration& configuration) {
  json object = {{"loaded", time_text(configuration.loaded)}};
  if (configuration.errors > 0)
    object["failed"] = {{"time", time_text(configuration.failed)},
                        {"reason", configuration.reason},
                        {"errors", configuration.errors}};
  return object;
}

json describe(const Status::Webhook& webhook, WallTime now) {
  json object = {{"url", webhook.url},
                 {"waiting_octets", webhook.waiting},
                 {"sent", webhook.sent},
                 {"dropped", webhook.dropped},
                 {"disabled", webhook.disabled}};
  if (webhook.failure.empty()) return object;
  object.update({{"reason", webhook.failure}, {"failing_since", time_text(webhook.since)}});
  if (!webhook.disabled)
    object.update({{"next_try", time_text(webhook.next)}, {"next_try_in", seconds(webhook.next - now)}});
  return object;
}

json describe(const Account& account, WallTime now) {
  json object = {{"upstream", account.name.upstream},
                 {"account", account.name.account},
                 {"state", account.well ? account.suspected ? "suspected" : "ok" : "failing"},
                 {"since", time_text(account.since)},
                 {"looked_at", time_text(account.looked_at)},
                 {"looked_age", seconds(now - account.looked_at)}};
  if (account.reason.empty()) return object;
  object.update({{"class", account.reply_class}, {"reason", account.reason}, {"advice", account.advice}});
  return object;
}

json describe(const LaneStatus::Quota& quota, WallTime now) {
  return {{"limit", quota.limit},
          {"left", quota.left},
          {"counts", quota.counts},
          {"period", quota.period},
          {"total", quota.total},
          {"resets_at", time_text(quota.resets_at)},
          {"resets_in", seconds(quota.resets_at - now)}};
}

json describe(const Trouble& trouble, WallTime now) {
  json object = {{"severity", to_string(trouble.severity)}, {"what", trouble.what}};
  if (trouble.since)
    object.update({{"since", time_text(*trouble.since)}, {"for", seconds(now - *trouble.since)}});
  if (!trouble.advice.empty()) object["advice"] = trouble.advice;
  if (!trouble.upstream.empty()) object["upstream"] = trouble.upstream;
  if (!trouble.account.empty()) object["account"] = trouble.account;
  return object;
}

json describe_troubles(const Status& status) {
  json list = json::array();
  for (const Trouble& trouble : troubles_of(status)) list.push_back(describe(trouble, status.now));
  return list;
}

// Of those that are used up, the one that stays so for longest.
bool tighter(const LaneStatus::Quota& a, const LaneStatus::Quota& b) {
  if (a.left != 0 || b.left != 0) return a.left < b.left;
  return a.resets_at > b.resets_at;
}

// What was configured or learnt about speed and volume.
void add_limits(json& object, const LaneStatus& lane, WallTime now) {
  if (lane.recipients_per_minute > 0) object["recipients_per_minute"] = lane.recipients_per_minute;
  if (lane.messages_per_minute > 0) object["messages_per_minute"] = lane.messages_per_minute;
  if (!lane.rates.empty()) object["rates"] = lane.rates;
  if (lane.quotas.empty()) return;
  for (const LaneStatus::Quota& quota : lane.quotas) object["quotas"].push_back(describe(quota, now));
  object["quota"] = describe(*std::ranges::min_element(lane.quotas, tighter), now);
}

json describe(const LaneStatus::Learnt& learnt, WallTime now) {
  json object = {{"ahead", learnt.ahead}};
  const auto add_end = [&object, now](const std::string& what, WallTime until) {
    object.update({{what + "_until", time_text(until)}, {what + "_for", seconds(until - now)}});
  };
  if (learnt.ahead_until > now) add_end("ahead", learnt.ahead_until);
  if (learnt.port_until > now) add_end("port", learnt.port_until);
  if (learnt.connections > 0) object["connections"] = learnt.connections;
  for (const LaneStatus::LearntLimit& limit : learnt.limits)
    object["limits"].push_back({{"key", limit.key},
                                {"value", limit.value},
                                {"holds_until", time_text(limit.until)},
                                {"holds_for", seconds(limit.until - now)}});
  if (learnt.offer_until <= now) return object;
  object["offer"] = learnt.offer;
  add_end("offer", learnt.offer_until);
  return object;
}

json describe(const LaneStatus& lane, WallTime now) {
  using State = LaneStatus::State;
  json object = {{"upstream", lane.upstream},
                 {"account", lane.account},
                 {"state", to_string(lane.state)},
                 {"connections", {{"busy", lane.busy}, {"idle", lane.idle}, {"allowed", lane.allowed}}},
                 {"waiting", lane.waiting},
                 {"pipelining_reduced", lane.pipelining_reduced},
                 {"next_password", lane.next_password}};
  if (!lane.grant.empty()) object["oauth2"] = lane.grant;
  if (lane.state == State::paused || lane.state == State::quota_used_up)
    object.update({{"closed_until", time_text(lane.until)}, {"closed_for", seconds(lane.until - now)}});
  if (lane.state == State::paused || lane.state == State::probing)
    object.update({{"class", lane.reply_class}, {"reason", lane.reason}, {"pauses", lane.pauses}});
  const bool is_in_trouble =
      lane.state == State::stopped || lane.state == State::paused || lane.state == State::probing;
  if (is_in_trouble && lane.since != WallTime{})
    object.update({{"since", time_text(lane.since)}, {"since_for", seconds(now - lane.since)}});
  if (lane.sender_rules > 0) object.update({{"senders", lane.senders}, {"sender_rules", lane.sender_rules}});
  add_limits(object, lane, now);
  if (lane.port != 0) object.update({{"port", lane.port}, {"first_port", lane.first_port}});
  if (!lane.learnt.ahead.empty()) object["learnt"] = describe(lane.learnt, now);
  if (!lane.last_reply.empty())
    object.update({{"last_reply", lane.last_reply},
                   {"last_reply_at", time_text(lane.last_reply_at)},
                   {"last_reply_age", seconds(now - lane.last_reply_at)}});
  return object;
}

}  // namespace

const char* to_string(LaneStatus::State state) {
  constexpr const char* names[] = {"stopped", "paused", "quota_used_up", "probing", "slowed", "open", "idle"};
  return names[static_cast<std::size_t>(state)];
}

std::string to_line(Status status) {
  if (status.starting)
    return line_of({{"version", RELAYD_VERSION},
                    {"time", time_text(status.now)},
                    {"uptime", seconds(status.uptime)},
                    {"process", describe(status.process)},
                    {"trouble", describe_troubles(status)},
                    {"starting",
                     {{"messages", status.starting->messages},
                      {"octets", status.starting->read.count},
                      {"total", status.starting->total.count}}}});
  std::ranges::sort(status.lanes, {}, [](const LaneStatus& lane) {
    return std::tuple<LaneStatus::State, std::string_view, std::string_view>(lane.state, lane.upstream,
                                                                             lane.account);
  });
  json object = {{"version", RELAYD_VERSION},
                 {"time", time_text(status.now)},
                 {"uptime", seconds(status.uptime)},
                 {"process", describe(status.process)},
                 {"trouble", describe_troubles(status)},
                 {"queue", describe_queue(status)},
                 {"since_start",
                  {{"accepted", status.counted.accepted},
                   {"delivered", status.counted.delivered},
                   {"deferred", status.counted.deferred},
                   {"failed", status.counted.failed},
                   {"bounced", status.bounced},
                   {"recovered_in_doubt", status.totals.in_doubt},
                   {"disk_troubles", status.totals.troubles}}},
                 {"suppressed", {{"on", status.suppressed.on}, {"count", status.suppressed.count}}},
                 {"lanes", json::array()},
                 {"unused_upstreams", status.unused}};
  if (!status.sandboxes.empty()) object["sandboxes"] = status.sandboxes;
  if (status.configuration) object["configuration"] = describe(*status.configuration);
  for (const LaneStatus& lane : status.lanes) object["lanes"].push_back(describe(lane, status.now));
  for (const Account& account : status.accounts) object["accounts"].push_back(describe(account, status.now));
  for (const Status::Credential& one : status.credentials)
    object["credentials"].push_back({{"kind", one.kind},
                                     {"upstream", one.of.upstream},
                                     {"account", one.of.account},
                                     {"ends_at", time_text(one.until)},
                                     {"ends_in", seconds(one.until - status.now)}});
  for (const Status::Webhook& webhook : status.webhooks)
    object["webhooks"].push_back(describe(webhook, status.now));
  return line_of(object);
}

}  // namespace relayd::watch
