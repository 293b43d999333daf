// relayd lane: how the lanes of the running daemon stand, and the operator's hand on them.
#include <fmt/format.h>
#include <sysexits.h>

#include <nlohmann/json.hpp>
#include <string>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "daemon_connection.hpp"
#include "lane_text.hpp"
#include "shown.hpp"
#include "status.hpp"

namespace relayd::command {

namespace {

using nlohmann::json;

int list(const Options& options) {
  int exit_code = EX_OK;
  const std::optional<json> standing = ask_status(options, exit_code);
  if (!standing) return exit_code;
  const json& answer = *standing;
  if (answer.contains("starting")) {
    fmt::print(stderr, "starting: the queue is being read\n");
    return 1;
  }
  const watch::Request& wanted = options.queue;
  bool found = false;
  for (const json& lane : answer.value("lanes", json::array())) {
    found = true;
    if (options.json)
      fmt::print("{}\n", shown_json(lane.dump()));
    else
      fmt::print("{}", lane_text(lane, text(answer, "time")));
  }
  if (found || wanted.upstream.empty()) return EX_OK;
  fmt::print(stderr, "no lane of an upstream '{}'{} yet\n", shown(wanted.upstream),
             wanted.account.empty() ? "" : fmt::format(" as '{}'", shown(wanted.account)));
  return 1;
}

}  // namespace

int lane(const Options& options) {
  if (options.queue.command == "list") return list(options);
  const std::optional<std::string> path = daemon_address(options);
  if (!path) return EX_CONFIG;
  DaemonConnection daemon(*path);
  if (!daemon.ask(options.queue)) return daemon.no_answer();
  std::string line;
  bool refused = false;
  while (daemon.line(line)) {
    const json object = parse_answer(line);
    if (object.is_discarded()) break;
    if (options.json) fmt::print("{}\n", shown_json(line));
    if (object.contains("end")) return refused ? 1 : EX_OK;
    refused |= object.contains("error");
    if (object.contains("error") && !options.json) fmt::print(stderr, "{}\n", text(object, "error"));
    if (object.contains("error") && !object.contains("upstream")) return 1;  // the whole request is refused
    if (object.contains("error")) continue;
    if (!options.json)
      fmt::print("{}{}: {}d\n", text(object, "upstream"),
                 text(object, "account").empty() ? "" : " as " + text(object, "account"),
                 text(object, "done"));
  }
  fmt::print(stderr, "relayd went away in the middle of its answer\n");
  return EX_UNAVAILABLE;
}

}  // namespace relayd::command
