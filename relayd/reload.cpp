// relayd reload: has the running daemon read its configuration again, and says whether it was taken.
#include "reload.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "daemon_connection.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using nlohmann::json;

int print_answer(const json& answer) {
  if (answer.contains("error")) {  // the daemon is older than this command
    fmt::print(stderr, "{}\n", text(answer, "error"));
    return EX_UNAVAILABLE;
  }
  if (!answer.contains("taken")) {
    fmt::print(stderr, "what answers there is no relayd\n");
    return EX_UNAVAILABLE;
  }
  for (const json& warning : answer.value("warnings", json::array()))
    fmt::print(stderr, "warning: {}\n", shown(warning.get<std::string>()));
  for (const json& error : answer.value("errors", json::array()))
    fmt::print(stderr, "{}\n", shown(error.get<std::string>()));
  if (!answer.value("taken", false)) {
    fmt::print(stderr, "relayd goes on with the configuration that it had\n");
    return EX_CONFIG;
  }
  if (const std::string left = text(answer, "left"); !left.empty()) fmt::print("{}\n", left);
  return EX_OK;
}

}  // namespace

std::optional<int> reload_at(const std::string& socket) {
  DaemonConnection daemon(socket);
  if (!daemon.connected()) return std::nullopt;
  watch::Request request;
  request.command = "reload";
  std::string line;
  if (!daemon.ask(request)) return daemon.no_answer();
  const json answer = daemon.line(line) ? parse_answer(line) : json();
  if (answer.is_object()) return print_answer(answer);
  fmt::print(stderr, "relayd went away before it answered\n");
  return EX_UNAVAILABLE;
}

int reload(const Options& options) {
  const std::optional<std::string> path = daemon_address(options);
  if (!path) return EX_CONFIG;
  const std::optional<int> status = reload_at(*path);
  return status ? *status : DaemonConnection(*path).no_answer();
}

}  // namespace relayd::command
