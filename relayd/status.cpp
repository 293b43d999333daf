// relayd status: how the running daemon stands, what is wrong first.
#include "status.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "daemon_connection.hpp"
#include "paint.hpp"
#include "shown.hpp"
#include "status_text.hpp"

namespace relayd::command {

using nlohmann::json;

Standing ask_status(const std::string& address, std::chrono::seconds patience) {
  DaemonConnection daemon(address, patience);
  watch::Request request;
  request.command = "status";
  std::string line;
  if (!daemon.ask(request) || !daemon.line(line)) return {{}, daemon.why()};
  json answer = parse_answer(line);
  if (!answer.is_object()) return {{}, "what answers there is no relayd"};
  if (answer.contains("error")) return {{}, text(answer, "error")};  // the daemon is older than this command
  if (!answer.contains("queue") && !answer.contains("starting"))
    return {{}, "what answers there is no relayd"};
  return {std::move(answer)};
}

std::optional<json> ask_status(const Options& options, int& exit_code) {
  const std::optional<std::string> path = daemon_address(options);
  exit_code = path ? EX_UNAVAILABLE : EX_CONFIG;
  if (!path) return std::nullopt;
  Standing standing = ask_status(*path);
  if (!standing.status) {
    fmt::print(stderr, "{}\n", standing.why);
    return std::nullopt;
  }
  if (const std::string missing = missing_of(*standing.status, options); !missing.empty()) {
    fmt::print(stderr, "{}\n", missing);
    exit_code = EX_USAGE;
    return std::nullopt;
  }
  narrow(*standing.status, options);
  exit_code = EX_OK;
  return std::move(standing.status);
}

namespace {

int show_metrics(const std::string& path) {
  DaemonConnection daemon(path);
  watch::Request request;
  request.command = "metrics";
  std::string line;
  if (!daemon.ask(request)) return daemon.no_answer();
  const json answer = daemon.line(line) ? parse_answer(line) : json();
  if (answer.is_object() && answer.contains("error")) {  // it starts, or is older than this command
    fmt::print(stderr, "{}\n", text(answer, "error"));
    return EX_UNAVAILABLE;
  }
  if (answer.is_object() && daemon.copy(answer.value("octets", std::uint64_t{0}), false)) return EX_OK;
  fmt::print(stderr, "relayd went away in the middle of its answer\n");
  return EX_UNAVAILABLE;
}

constexpr std::chrono::seconds patience_of_monitoring(8);  // whose own is 10 s, as a rule

Verdict judge(const Options& options, const std::optional<std::string>& path) {
  if (!path) return verdict_without_daemon("the configuration hides where the daemon is");
  Standing standing = ask_status(*path, patience_of_monitoring);
  if (!standing.status) return verdict_without_daemon(standing.why);
  try {
    if (const std::string why = missing_of(*standing.status, options); !why.empty())
      return verdict_without_daemon(why);
    narrow(*standing.status, options);
    return verdict_of(*standing.status);
  } catch (const json::exception&) {
    return verdict_without_daemon("relayd answers what this command does not understand");
  }
}

// One line for monitoring, whatever is so.
int check_status(const Options& options, const std::optional<std::string>& path) {
  const Verdict verdict = judge(options, path);
  fmt::print("{}\n", verdict.text);
  return verdict.exit_code;
}

}  // namespace

int status(const Options& options) {
  if (options.metrics && !options.url.empty()) {
    fmt::print(stderr, "over HTTP the metrics are at {}/metrics\n", shown(options.url));
    return EX_USAGE;
  }
  if (options.check || options.metrics || options.watch) {
    const std::optional<std::string> path = daemon_address(options);
    if (options.check) return check_status(options, path);
    if (!path) return EX_CONFIG;
    return options.metrics ? show_metrics(*path) : watch_status(options, *path);
  }
  int exit_code = EX_OK;
  const std::optional<json> standing = ask_status(options, exit_code);
  if (!standing) return exit_code;
  if (options.json)
    fmt::print("{}\n", shown_json(standing->dump()));
  else
    fmt::print("{}", painted(status_text(*standing, false)));
  return EX_OK;
}

}  // namespace relayd::command
