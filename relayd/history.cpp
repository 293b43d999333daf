// relayd history: what became of messages, from the files that the daemon keeps.
#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <system_error>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "daemon_connection.hpp"
#include "daemon_http.hpp"
#include "relay/history_reader.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using nlohmann::json;

constexpr std::size_t usual_limit = 20;     // where nothing is looked for
constexpr std::size_t search_limit = 1000;  // where something is

constexpr std::chrono::seconds patience(2);  // with a daemon that is stopped, or waits for its disk

// What a daemon, if there is one, has not written yet, it writes now.
void have_it_written(const std::string& socket) {
  DaemonConnection daemon(socket, patience);
  watch::Request request;
  request.command = "history";
  std::string line;
  if (!daemon.connected()) return;
  if (!daemon.ask(request) || !daemon.line(line))
    fmt::print(stderr, "relayd does not answer: what it has not written yet is missing\n");
}

// "2026-11-20 09:30:00" of "2026-11-20T09:30:00.123456Z".
std::string moment(const json& line) {
  std::string time = text(line, "time").substr(0, 19);
  std::replace(time.begin(), time.end(), 'T', ' ');
  return time;
}

std::string listed(const json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end()) return "";
  if (!found->is_array()) return text(line, key);
  std::string result;
  for (const json& one : *found) {
    if (!result.empty()) result += ", ";
    result += shown(one.get<std::string>());
  }
  return result;
}

// "  label value", where there is a value.
void print_fact(const char* label, const std::string& value) {
  if (!value.empty()) fmt::print("  {:<11} {}\n", label, value);
}

std::string named(const char* name, const std::string& value) {
  return value.empty() ? "" : fmt::format(" {} {}", name, value);
}

void print_arrival(const json& line) {
  const std::string from = text(line, "from");
  print_fact("from", from.empty() ? "<>" : from);
  print_fact("to", listed(line, "to"));
  print_fact("instead of", listed(line, "instead_of"));
  print_fact("message-id", text(line, "message_id"));
  const std::string client = text(line, "client");  // there may be none
  print_fact("size", text(line, "size") + " octets" + (client.empty() ? "" : ", from client " + client) +
                         named("as", text(line, "account")) + named("by", text(line, "tls")));
}

void print_event(const json& line) {
  const std::string event = text(line, "event");
  fmt::print("  {}  {:<9} {}\n", moment(line), event, listed(line, line.contains("to") ? "to" : "about"));
  const auto more = [](const std::string& value) {
    if (!value.empty()) fmt::print("  {:<21}{}\n", "", value);
  };
  const std::string upstream = text(line, "upstream");
  std::string way;
  if (line.contains("attempt")) way += "attempt " + text(line, "attempt");
  if (!upstream.empty()) way += " by " + upstream;
  way += named("at", text(line, "host")) + named("as", text(line, "account"));
  if (const std::string rule = text(line, "rule"); !rule.empty()) way += ", rule '" + rule + "'";
  if (line.contains("delay")) way += ", " + text(line, "delay") + " s after it came";
  more(way);
  if (line.contains("sent_from") || line.contains("report"))
    more((line.contains("sent_from") ? "sent from " + text(line, "sent_from") : "") +
         named("report", text(line, "report")));
  if (line.contains("sent_to")) more("sent to " + text(line, "sent_to"));
  const std::string code = text(line, "code");
  const std::string said = text(line, "response");
  more(code + (code.empty() || said.empty() ? "" : " ") + said +
       (line.contains("class") && line.contains("stage") && event != "delivered"
            ? " (" + text(line, "class") + " at " + text(line, "stage") + ")"
            : ""));
  more(text(line, "reason"));
  if (line.contains("by")) more("by the " + text(line, "by"));
  if (const std::string id = text(line, "provider_id"); !id.empty()) more("the provider's id: " + id);
}

bool is_arrival(const json& line) {
  const std::string event = text(line, "event");
  return !line.contains("by") && (event == "accepted" || event == "held" || event == "discarded");
}

// A message as to_json() has it.
void show(const std::string& line, const Options& options) {
  if (options.json) return fmt::print("{}\n", shown_json(line));
  const json message = parse_answer(line);
  const json events = message.value("events", json::array());
  fmt::print("{}  {}  {}\n", text(message, "id"), moment(events.empty() ? json() : events.front()),
             text(message, "state"));
  for (const json& event : events) is_arrival(event) ? print_arrival(event) : print_event(event);
  fmt::print("\n");
}

// What is said of what was found. The exit status.
int conclude(const Options& options, std::size_t found, std::string_view why_nothing) {
  if (found > 0) return EX_OK;
  fmt::print(stderr, "Nothing is known of {}{}\n",
             options.what.empty() ? "such a message" : shown(options.what), why_nothing);
  return 1;
}

// What the window of a daemon tells, which reads `since` itself.
int history_over_http(const Options& options, std::size_t limit) {
  const Result<std::string> lines = ask_over_http(
      options.url,
      watch::HistoryQuestion{options.what, options.since, options.failed, limit == 0 ? search_limit : limit});
  if (!lines) {
    fmt::print(stderr, "{}\n", lines.error());
    return EX_UNAVAILABLE;
  }
  std::size_t found = 0;
  std::istringstream stream(*lines);
  for (std::string line; std::getline(stream, line);) {
    const json object = parse_answer(line);
    if (!object.is_object()) break;
    if (object.contains("error")) {
      fmt::print(stderr, "{}\n", text(object, "error"));
      return EX_USAGE;
    }
    if (!object.contains("end")) {
      show(line, options);
      ++found;
      continue;
    }
    if (object.value("more", false))
      fmt::print(stderr, "There are more: these are the last {}, and HTTP tells {} at most\n", found,
                 search_limit);
    return conclude(options, found, "");
  }
  fmt::print(stderr, "relayd went away in the middle of its answer\n");
  return EX_UNAVAILABLE;
}

}  // namespace

int history(const Options& options) {
  const bool asks = !options.what.empty() || !options.since.empty() || options.failed;
  const std::size_t limit = options.limit.value_or(asks ? search_limit : usual_limit);
  if (!options.url.empty()) return history_over_http(options, limit);
  const config::Readable readable = readable_config(options);
  const config::Config& config = readable.config;
  if (readable.hides_daemon) {
    print(readable.errors);
    return EX_CONFIG;
  }
  HistoryQuery query{.what = options.what, .since = {}, .failed = options.failed, .limit = limit};
  if (!options.since.empty()) {
    const std::optional<std::string> since = parse_history_since(options.since);
    if (!since) {
      fmt::print(stderr,
                 "--since {}: a time ago such as 2h or 3d, a date such as 2026-11-20, or both as in "
                 "2026-11-20T09:30:00Z\n",
                 shown(options.since));
      return EX_USAGE;
    }
    query.since = *since;
  }
  have_it_written(daemon_socket(options, config));
  try {
    // What cannot be read may say so.
    const bool masked = config.log.addresses == config::LogAddresses::masked || !readable.errors.empty();
    const HistoryFound found =
        search_history(history_folder_of(config.queue.directory), query, [&](MessageHistory& message) {
          if (masked) mask(message);
          show(to_json(message), options);
        });
    if (found.more)
      fmt::print(stderr, "There are more: these are the last {}. --limit N shows the last N, --limit 0 all\n",
                 query.limit);
    const bool is_kept = config.history.keep.count() > 0;
    return conclude(options, found.messages, is_kept ? "" : ": history.keep is 0, so nothing is kept");
  } catch (const std::system_error& error) {
    const bool forbidden = error.code() == std::errc::permission_denied;
    fmt::print(stderr, "{}{}\n", shown(error.what()),
               forbidden ? ". Ask as the user of relayd, or as root" : "");
    return forbidden ? EX_NOPERM : EX_IOERR;
  }
}

}  // namespace relayd::command
