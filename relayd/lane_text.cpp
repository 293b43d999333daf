#include "lane_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "daemon_connection.hpp"
#include "shared/base/counted.hpp"
#include "shown.hpp"

namespace relayd::command {

using nlohmann::json;

// The two largest units, as a person would say it.
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

// "2026-11-20T14:03:22Z" without the part that it has in common with now.
std::string moment(const std::string& when, const std::string& now) {
  if (when.size() < 19) return when;
  const bool today = when.substr(0, 10) == now.substr(0, 10);
  return (today ? "" : when.substr(0, 10) + " ") + when.substr(11, 8) + " UTC";
}

namespace {

std::string sentence(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "; "));
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

// What stops the lane, or that nothing does.
std::string state_text(const json& lane, const std::string& now) {
  const std::string state = text(lane, "state");
  const std::string why = text(lane, "class") + ": \"" + text(lane, "reason") + '"';
  const std::string since =
      lane.contains("since") ? ", since " + moment(text(lane, "since"), now) : std::string();
  if (state == "stopped")
    return fmt::format("paused by the operator{}: `relayd lane resume UPSTREAM` lets it go on", since);
  if (state == "paused")
    return fmt::format("paused until {} (in {}) because {}{}", moment(text(lane, "closed_until"), now),
                       span(lane, "closed_for"), why, since);
  if (state == "quota_used_up")
    return fmt::format("quota of {} used up until {} (in {})", limit_text(lane.at("quota")),
                       moment(text(lane, "closed_until"), now), span(lane, "closed_for"));
  if (state == "probing") return fmt::format("probing, paused before because {}{}", why, since);
  if (state == "slowed")
    return lane.contains("recipients_per_minute")
               ? fmt::format("slowed to {:.3g} recipients/min by the upstream",
                             lane.value("recipients_per_minute", 0.0))
               : fmt::format("slowed to {:.3g} messages/min by the upstream",
                             lane.value("messages_per_minute", 0.0));
  return state;
}

// "senders: @a.example, @b.example and 7 more".
std::string senders_text(const json& lane) {
  std::vector<std::string> names;
  for (const json& sender : lane["senders"]) names.push_back(shown(sender.get<std::string>()));
  const std::size_t more = lane.value("sender_rules", names.size()) - names.size();
  return fmt::format("senders: {}{}", fmt::join(names, ", "),
                     more > 0 ? " and " + counted(more, "more rule") : "");
}

// The numbers that differ from what one would guess.
std::string numbers(const json& lane, const std::string& now) {
  std::vector<std::string> parts;
  const json& connections = lane.at("connections");
  if (connections.value("busy", 0) + connections.value("idle", 0) > 0)
    parts.push_back(fmt::format("connections: {} busy, {} idle, {} allowed", text(connections, "busy"),
                                text(connections, "idle"), text(connections, "allowed")));
  if (lane.value("waiting", 0) > 0) parts.push_back(text(lane, "waiting") + " in line");
  if (lane.contains("rates"))
    parts.push_back("at most " +
                    shown(fmt::format("{}", fmt::join(lane["rates"].get<std::vector<std::string>>(), ", "))));
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
    parts.push_back(counted(learnt.value("connections", std::uint64_t{0}), "connection") +
                    " of all accounts, more each minute");
  if (lane.value("next_password", false)) parts.push_back("uses next_password");
  if (lane.contains("senders")) parts.push_back(senders_text(lane));
  return sentence(parts);
}

// What stops it, or the last reply.
std::string why(const json& lane) {
  if (lane.contains("reason")) return fmt::format("{}: {}", text(lane, "class"), text(lane, "reason"));
  if (text(lane, "state") == "quota_used_up")
    return fmt::format("until {}, in {}", text(lane, "closed_until"), span(lane, "closed_for"));
  return text(lane, "last_reply");
}

}  // namespace

std::string lane_name(const json& lane) {
  const std::string account = text(lane, "account");
  return text(lane, "upstream") + (account.empty() ? "" : " as " + account);
}

std::string lane_text(const json& lane, const std::string& now) {
  const std::string grant = lane.contains("oauth2") ? fmt::format(" ({})", text(lane, "oauth2")) : "";
  std::string out = fmt::format("{}{}: {}\n", lane_name(lane), grant, state_text(lane, now));
  if (const std::string line = numbers(lane, now); !line.empty()) out += fmt::format("    {}\n", line);
  const bool is_reason = lane.contains("reason") && text(lane, "last_reply").ends_with(text(lane, "reason"));
  if (lane.contains("last_reply") && !is_reason)
    out += fmt::format("    {} ago: {}\n", span(lane, "last_reply_age"), text(lane, "last_reply"));
  return out;
}

std::string lane_table(const json& lanes) {
  std::size_t width = 4;
  for (const json& lane : lanes) width = std::max(width, lane_name(lane).size());
  width = std::min<std::size_t>(width, 48);
  std::string out = fmt::format("{:<{}}  {:<13}  {:>13}  {:>5}  {:>7}  {}\n", "LANE", width, "STATE", "FOR",
                                "BUSY", "IN LINE", "WHY, OR LAST REPLY");
  for (const json& lane : lanes) {
    std::string state = text(lane, "state");
    std::ranges::replace(state, '_', ' ');
    const std::string lasted = lane.contains("since_for") ? span(lane, "since_for") : "";
    out += fmt::format("{:<{}}  {:<13}  {:>13}  {:>5}  {:>7}  {}\n", lane_name(lane), width, state, lasted,
                       text(lane.at("connections"), "busy"), text(lane, "waiting"), why(lane));
  }
  return out;
}

}  // namespace relayd::command
