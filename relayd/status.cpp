// relayd status: how the running daemon stands, what is wrong first.
#include "status.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "commands.hpp"
#include "shown.hpp"
#include "window.hpp"

namespace relayd::command {

namespace {

using nlohmann::json;

// The two largest units, as one would say it.
std::string span(std::int64_t seconds) {
  const std::int64_t minutes = seconds / 60, hours = minutes / 60;
  if (minutes < 2) return fmt::format("{} s", seconds);
  if (hours < 2) return fmt::format("{} min", minutes);
  if (hours < 48) return fmt::format("{} h {} min", hours, minutes % 60);
  return fmt::format("{} days {} h", hours / 24, hours % 24);
}

std::string span(const json& object, const char* key) {
  return span(object.value(key, std::int64_t{0}));
}

// "2026-11-20T14:03:22Z" without what it has in common with now.
std::string moment(const std::string& when, const std::string& now) {
  const bool today = when.substr(0, 10) == now.substr(0, 10);
  return (today ? "" : when.substr(0, 10) + " ") + when.substr(11, 8) + " UTC";
}

std::string sentence(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "; "));
}

void print_queue(const json& status) {
  const json& queue = status.at("queue");
  const json& since_start = status.at("since_start");
  fmt::print("queue: {} waiting, {} under way, {} held, {} failed", text(queue, "waiting"),
             text(queue, "ready"), text(queue, "held"), text(queue, "failed"));
  if (queue.contains("oldest"))
    fmt::print("; the oldest is {}, {} old", text(queue["oldest"], "id"), span(queue["oldest"], "age"));
  fmt::print("\n");
  if (since_start.value("disk_troubles", 0) > 0)
    fmt::print("disk: trouble since the start; `queue_trouble` in the log ({}) says what\n",
               text(since_start, "disk_troubles"));
  if (since_start.value("recovered_in_doubt", 0) > 0)
    fmt::print("recovered at the start: {} that an upstream may already have taken\n",
               text(since_start, "recovered_in_doubt"));
  const json suppressed = status.value("suppressed", json::object());
  if (suppressed.value("count", 0) > 0)
    fmt::print("suppressed: {} recipients; `relayd suppress list` shows them{}\n", text(suppressed, "count"),
               suppressed.value("on", true) ? "" : ", but `suppress` is off and they are not refused");
}

void print_accounts(const json& status, const std::string& now) {
  for (const json& account : status.value("accounts", json::array())) {
    if (text(account, "state") == "ok") continue;
    const std::string name = text(account, "account");
    fmt::print("account{} at {}: {} since {} because \"{}\"{}\n", name.empty() ? "" : " " + name,
               text(account, "upstream"), text(account, "state") == "failing" ? "fails" : "perhaps fails",
               moment(text(account, "since"), now), text(account, "reason"),
               text(account, "advice").empty() ? "" : ". " + text(account, "advice"));
  }
}

void print_webhooks(const json& status, const std::string& now) {
  for (const json& webhook : status.value("webhooks", json::array())) {
    std::vector<std::string> parts;
    if (webhook.value("disabled", false))
      parts.push_back("disabled by its receiver (410); a reload tries again");
    else if (webhook.contains("next_try"))
      parts.push_back(fmt::format("fails since {} because \"{}\", tried again in {}",
                                  moment(text(webhook, "failing_since"), now), text(webhook, "reason"),
                                  span(webhook, "next_try_in")));
    parts.push_back(fmt::format("{} events sent", text(webhook, "sent")));
    if (webhook.value("waiting_octets", std::uint64_t{0}) > 0)
      parts.push_back(text(webhook, "waiting_octets") + " octets wait");
    if (webhook.value("dropped", std::uint64_t{0}) > 0)
      parts.push_back(text(webhook, "dropped") + " events dropped");
    fmt::print("webhook {}: {}\n", text(webhook, "url"), sentence(parts));
  }
}

// "10000", "30 messages", "10000 in 24h", "50000 of all accounts".
std::string limit_text(const json& quota) {
  const std::string period = text(quota, "period");
  const bool slides = period != "day" && period != "month";
  return fmt::format("{}{}{}{}", text(quota, "limit"), text(quota, "counts") == "messages" ? " messages" : "",
                     slides ? " in " + period : "", quota.value("total", false) ? " of all accounts" : "");
}

std::string quota_text(const json& quota, const std::string& now) {
  const std::string period = text(quota, "period");
  const bool slides = period != "day" && period != "month";
  const bool unused = quota.value("left", std::uint64_t{0}) == quota.value("limit", std::uint64_t{0});
  const std::string left = fmt::format("quota: {} of {} left", text(quota, "left"), limit_text(quota));
  const std::string when = moment(text(quota, "resets_at"), now);
  if (!slides) return left + " until " + when;
  return unused ? left : left + ", more from " + when;
}

// What keeps the lane, or that nothing does.
std::string state_text(const json& lane, const std::string& now) {
  const std::string state = text(lane, "state");
  const std::string why = text(lane, "class") + ": \"" + text(lane, "reason") + '"';
  if (state == "stopped") return "paused by the operator: `relayd lane resume` lets it go on";
  if (state == "paused")
    return fmt::format("paused until {} (in {}) because {}", moment(text(lane, "closed_until"), now),
                       span(lane, "closed_for"), why);
  if (state == "quota_used_up")
    return fmt::format("quota of {} used up until {} (in {})", limit_text(lane.at("quota")),
                       moment(text(lane, "closed_until"), now), span(lane, "closed_for"));
  if (state == "probing") return fmt::format("probing, paused before because {}", why);
  if (state == "slowed")
    return fmt::format("slowed to {:.3g} recipients/min by the upstream",
                       lane.value("recipients_per_minute", 0.0));
  return state;
}

// The numbers that are not as one would guess.
std::string numbers(const json& lane, const std::string& now) {
  std::vector<std::string> parts;
  const json& connections = lane.at("connections");
  if (connections.value("busy", 0) + connections.value("idle", 0) > 0)
    parts.push_back(fmt::format("connections: {} busy, {} idle, {} allowed", text(connections, "busy"),
                                text(connections, "idle"), text(connections, "allowed")));
  if (lane.value("waiting", 0) > 0) parts.push_back(text(lane, "waiting") + " in line");
  if (lane.contains("rates"))
    parts.push_back(
        fmt::format("at most {}", fmt::join(lane["rates"].get<std::vector<std::string>>(), ", ")));
  for (const json& quota : lane.value("quotas", json::array())) parts.push_back(quota_text(quota, now));
  const json learnt = lane.value("learnt", json::object());
  const auto again = [&learnt](const char* key) {
    return learnt.contains(key) ? fmt::format(", tried again in {}", span(learnt, key)) : "";
  };
  for (const json& limit : learnt.value("limits", json::array()))
    parts.push_back(fmt::format("learnt for {}: {} {}", span(limit, "holds_for"), text(limit, "key"),
                                text(limit, "value")));
  if (text(lane, "port") != text(lane, "first_port"))
    parts.push_back(fmt::format("port {}, since {} fails{}", text(lane, "port"), text(lane, "first_port"),
                                again("port_for")));
  if (lane.value("pipelining_reduced", false)) parts.push_back("pipelining reduced" + again("ahead_for"));
  if (learnt.contains("connections"))
    parts.push_back(
        fmt::format("{} connections of all accounts, more each minute", text(learnt, "connections")));
  if (lane.value("next_password", false)) parts.push_back("uses next_password");
  return sentence(parts);
}

}  // namespace

void print_lane(const json& lane, const std::string& now) {
  const std::string account = text(lane, "account");
  const std::string grant = lane.contains("oauth2") ? fmt::format(" ({})", text(lane, "oauth2")) : "";
  fmt::print("{}{}{}: {}\n", text(lane, "upstream"), account.empty() ? "" : " as " + account, grant,
             state_text(lane, now));
  if (const std::string line = numbers(lane, now); !line.empty()) fmt::print("    {}\n", line);
  const bool is_reason = lane.contains("reason") && text(lane, "last_reply").ends_with(text(lane, "reason"));
  if (lane.contains("last_reply") && !is_reason)
    fmt::print("    {} ago: {}\n", span(lane, "last_reply_age"), text(lane, "last_reply"));
}

namespace {

// Only what somebody may want to change.
void print_process(const json& status) {
  if (!status.contains("process")) return;  // the daemon is older than this command
  const json& process = status["process"];
  if (process.value("uid", 0) == 0)
    fmt::print("user: root; `user` in the configuration names a better one\n");
  if (!process.value("confined", false))
    fmt::print("confinement: none\n");
  else if (process.contains("lacks"))
    fmt::print("confinement: not whole; {}\n", text(process, "lacks"));
}

void print_configuration(const json& status, const std::string& now) {
  if (!status.contains("configuration")) return;
  const json& configuration = status["configuration"];
  fmt::print("configuration: read at {}", moment(text(configuration, "loaded"), now));
  if (!configuration.contains("failed")) return fmt::print("\n");
  const json& failed = configuration["failed"];
  const int more = failed.value("errors", 1) - 1;
  fmt::print("; it stays since the reload at {} failed: {}{}\n", moment(text(failed, "time"), now),
             text(failed, "reason"), more > 0 ? fmt::format(" (and {} more)", more) : "");
}

void print_status(const json& status) {
  const std::string now = text(status, "time");
  if (status.contains("starting")) {
    const json& starting = status["starting"];
    fmt::print(
        "relayd {}, starting for {}: the queue is being read, {} messages and {} of {} octets so far\n",
        text(status, "version"), span(status, "uptime"), text(starting, "messages"), text(starting, "octets"),
        text(starting, "total"));
    return;
  }
  fmt::print("relayd {}, up {}\n", text(status, "version"), span(status, "uptime"));
  print_process(status);
  print_configuration(status, now);
  print_queue(status);
  print_webhooks(status, now);
  print_accounts(status, now);
  for (const json& lane : status.at("lanes")) print_lane(lane, now);
  for (const json& upstream : status.at("unused_upstreams"))
    fmt::print("{}: not used yet\n", shown(upstream.get<std::string>()));
}

}  // namespace

std::optional<std::string> ask_status(const Options& options, int& exit_code) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) {
    exit_code = EX_CONFIG;
    return std::nullopt;
  }
  const std::string path = config->admin_socket();
  Window window(path);
  if (!window.connected()) {
    exit_code = no_answer(path);
    return std::nullopt;
  }
  watch::Request request;
  request.command = "status";
  std::string line;
  exit_code = EX_UNAVAILABLE;
  if (!window.send(watch::to_line(request)) || !window.line(line)) {
    fmt::print(stderr, "relayd went away before it answered\n");
    return std::nullopt;
  }
  const json answer = json::parse(line);
  if (answer.contains("error")) {
    fmt::print(stderr, "{}\n", text(answer, "error"));  // the daemon is older than this command
    return std::nullopt;
  }
  exit_code = EX_OK;
  return line;
}

namespace {

int show_metrics(const Options& options) {
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return EX_CONFIG;
  const std::string path = config->admin_socket();
  Window window(path);
  if (!window.connected()) return no_answer(path);
  watch::Request request;
  request.command = "metrics";
  std::string line;
  const bool answered = window.send(watch::to_line(request)) && window.line(line);
  const json answer = answered ? json::parse(line, nullptr, false) : json();
  if (answer.is_object() && answer.contains("error")) {  // it starts, or is older than this command
    fmt::print(stderr, "{}\n", text(answer, "error"));
    return EX_UNAVAILABLE;
  }
  if (answer.is_object() && window.copy(answer.value("octets", std::uint64_t{0}), false)) return EX_OK;
  fmt::print(stderr, "relayd went away in the middle of its answer\n");
  return EX_UNAVAILABLE;
}

}  // namespace

int status(const Options& options) {
  if (options.metrics) return show_metrics(options);
  int exit_code = EX_OK;
  const std::optional<std::string> line = ask_status(options, exit_code);
  if (!line) return exit_code;
  if (options.json)
    fmt::print("{}\n", shown_json(*line));
  else
    print_status(json::parse(*line));
  return EX_OK;
}

}  // namespace relayd::command
