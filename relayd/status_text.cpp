#include "status_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "daemon_connection.hpp"
#include "lane_text.hpp"
#include "shared/base/counted.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using nlohmann::json;

constexpr std::size_t most_whole = 8;  // lanes that are shown with all that is known of them
constexpr int well = 0, warning = 1, critical = 2;

bool is_in_trouble(const json& lane) {
  const std::string state = lane.value("state", "");
  return state == "stopped" || state == "paused" || state == "quota_used_up" || state == "probing";
}

std::string trouble_text(const json& status, const std::string& now) {
  std::string out;
  for (const json& trouble : status.value("trouble", json::array())) {
    const std::string since =
        trouble.contains("since")
            ? fmt::format(", since {} ({})", moment(text(trouble, "since"), now), span(trouble, "for"))
            : "";
    const std::string advice = text(trouble, "advice");
    out += fmt::format("{}: {}{}{}\n", text(trouble, "severity"), text(trouble, "what"), since,
                       advice.empty() ? "" : ". " + advice);
  }
  return out;
}

std::string queue_text(const json& status) {
  std::string out;
  const json& queue = status.at("queue");
  const json& since_start = status.at("since_start");
  out += fmt::format("queue: {} waiting, {} under way, {} held, {} failed", text(queue, "waiting"),
                     text(queue, "ready"), text(queue, "held"), text(queue, "failed"));
  if (queue.contains("oldest"))
    out +=
        fmt::format("; the oldest is {}, {} old", text(queue["oldest"], "id"), span(queue["oldest"], "age"));
  out += "\n";
  if (since_start.value("disk_troubles", 0) > 0)
    out += fmt::format("disk: trouble since the start; `queue_trouble` in the log ({}) says what\n",
                       text(since_start, "disk_troubles"));
  if (since_start.value("recovered_in_doubt", 0) > 0)
    out += fmt::format("recovered at the start: {} that an upstream may already have taken\n",
                       text(since_start, "recovered_in_doubt"));
  const json suppressed = status.value("suppressed", json::object());
  if (suppressed.value("count", 0) > 0)
    out +=
        fmt::format("suppressed: {}; see `relayd suppress list`{}\n",
                    counted(suppressed.value("count", std::uint64_t{0}), "recipient"),
                    suppressed.value("on", true) ? "" : ", but `suppress` is off and they are not refused");
  return out;
}

std::string accounts_text(const json& status, const std::string& now) {
  std::string out;
  for (const json& account : status.value("accounts", json::array())) {
    if (text(account, "state") != "suspected") continue;
    const std::string name = text(account, "account");
    out += fmt::format("account{} at {}: perhaps fails since {} because \"{}\"{}\n",
                       name.empty() ? "" : " " + name, text(account, "upstream"),
                       moment(text(account, "since"), now), text(account, "reason"),
                       text(account, "advice").empty() ? "" : ". " + text(account, "advice"));
  }
  return out;
}

std::string webhooks_text(const json& status, const std::string& now) {
  std::string out;
  for (const json& webhook : status.value("webhooks", json::array())) {
    std::vector<std::string> parts;
    if (webhook.value("disabled", false))
      parts.push_back("disabled by its receiver (410); a reload tries again");
    else if (webhook.contains("next_try"))
      parts.push_back(fmt::format("fails since {} because \"{}\", tried again in {}",
                                  moment(text(webhook, "failing_since"), now), text(webhook, "reason"),
                                  span(webhook, "next_try_in")));
    parts.push_back(counted(webhook.value("sent", std::uint64_t{0}), "event") + " sent");
    if (webhook.value("waiting_octets", std::uint64_t{0}) > 0)
      parts.push_back(text(webhook, "waiting_octets") + " octets wait");
    if (webhook.value("dropped", std::uint64_t{0}) > 0)
      parts.push_back(counted(webhook.value("dropped", std::uint64_t{0}), "event") + " dropped");
    out += fmt::format("webhook {}: {}\n", text(webhook, "url"), fmt::join(parts, "; "));
  }
  return out;
}

// Only what somebody may want to change.
std::string process_text(const json& status) {
  std::string out;
  if (!status.contains("process")) return out;  // the daemon is older than this command
  const json& process = status["process"];
  if (process.value("uid", 0) == 0) out += "user: root; `user` in the configuration names a better one\n";
  if (!process.value("confined", false))
    out += "confinement: none\n";
  else if (process.contains("lacks"))
    out += fmt::format("confinement: not whole; {}\n", text(process, "lacks"));
  return out;
}

std::string configuration_text(const json& status, const std::string& now) {
  std::string out;
  if (!status.contains("configuration")) return out;
  const json& configuration = status["configuration"];
  out += fmt::format("configuration: read at {}", moment(text(configuration, "loaded"), now));
  if (!configuration.contains("failed")) return out + "\n";
  const json& failed = configuration["failed"];
  const int more = failed.value("errors", 1) - 1;
  out += fmt::format("; it stays since the reload at {} failed: {}{}\n", moment(text(failed, "time"), now),
                     text(failed, "reason"), more > 0 ? fmt::format(" (and {} more)", more) : "");
  return out;
}

std::string lanes_text(const json& status, bool as_table, const std::string& now) {
  const json lanes = status.value("lanes", json::array());
  if (!lanes.empty() && (as_table || lanes.size() > most_whole)) return lane_table(lanes);
  std::string out;
  for (const json& lane : lanes) out += lane_text(lane, now);
  return out;
}

}  // namespace

std::string missing_of(const json& status, const Options& options) {
  const std::string& wanted = options.queue.upstream;
  if (wanted.empty() || status.contains("starting")) return {};
  const auto is_it = [&wanted](const json& one) { return one.value("upstream", "") == wanted; };
  const json lanes = status.value("lanes", json::array()),
             unused = status.value("unused_upstreams", json::array());
  if (std::ranges::any_of(lanes, is_it) || std::ranges::find(unused, json(wanted)) != unused.end()) return {};
  return fmt::format("there is no upstream '{}' in the configuration that is in use", shown(wanted));
}

void narrow(json& status, const Options& options) {
  const auto is_other = [&options](const json& one) {
    const watch::Request& wanted = options.queue;
    return (!wanted.upstream.empty() && one.value("upstream", "") != wanted.upstream) ||
           (!wanted.account.empty() && one.value("account", "") != wanted.account);
  };
  const auto keep = [&status](const char* key, auto is_unwanted) {
    if (!status.contains(key)) return;
    json kept = json::array();
    for (json& one : status[key])
      if (!is_unwanted(one)) kept.push_back(std::move(one));
    status[key] = std::move(kept);
  };
  // Trouble of all of them is trouble of these, too.
  keep("trouble", [&](const json& trouble) {
    const watch::Request& wanted = options.queue;
    const std::string upstream = trouble.value("upstream", ""), account = trouble.value("account", "");
    return (!wanted.upstream.empty() && !upstream.empty() && upstream != wanted.upstream) ||
           (!wanted.account.empty() && !account.empty() && account != wanted.account);
  });
  keep("accounts", is_other);
  keep("credentials", is_other);
  keep("lanes",
       [&](const json& lane) { return is_other(lane) || (options.trouble && !is_in_trouble(lane)); });
  const bool is_narrow = options.trouble || !options.queue.upstream.empty() || !options.queue.account.empty();
  if (is_narrow) status["unused_upstreams"] = json::array();
}

std::string status_text(const json& status, bool as_table) {
  const std::string now = text(status, "time");
  if (status.contains("starting")) {
    const json& starting = status["starting"];
    return fmt::format("relayd {}, starting for {}: the queue is being read, {} and {} of {} octets so far\n",
                       text(status, "version"), span(status, "uptime"),
                       counted(starting.value("messages", std::uint64_t{0}), "message"),
                       text(starting, "octets"), text(starting, "total"));
  }
  std::string out = fmt::format("relayd {}, up {}\n", text(status, "version"), span(status, "uptime"));
  out += trouble_text(status, now) + process_text(status) + configuration_text(status, now) +
         queue_text(status) + webhooks_text(status, now) + accounts_text(status, now) +
         lanes_text(status, as_table, now);
  for (const json& upstream : status.at("unused_upstreams"))
    out += fmt::format("{}: not used yet\n", shown(upstream.get<std::string>()));
  return out;
}

Verdict verdict_of(const json& status) {
  const json& troubles = status.at("trouble");
  if (troubles.empty()) {
    const auto count = [&queue = status.at("queue")](const char* name) {
      return queue.at(name).get<std::uint64_t>();
    };
    return {well, fmt::format("OK: {} waiting, {} under way, {} held, {} failed", count("waiting"),
                              count("ready"), count("held"), count("failed"))};
  }
  const json& worst = troubles.front();
  const bool is_critical = worst.at("severity").get<std::string>() == "critical";
  std::string line = fmt::format("{}: {}", is_critical ? "CRITICAL" : "WARNING", text(worst, "what"));
  if (worst.contains("since"))
    line += fmt::format(", since {} ({})", text(worst, "since"), span(worst, "for"));
  if (troubles.size() > 1) line += fmt::format("; and {} more", troubles.size() - 1);
  return {is_critical ? critical : warning, std::move(line)};
}

Verdict verdict_without_daemon(const std::string& why) {
  return {critical, "CRITICAL: " + why};
}

}  // namespace relayd::command
