// relayd queue: asks the running daemon, and shows what it says.
#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "daemon_connection.hpp"
#include "lane_text.hpp"
#include "progress.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using nlohmann::json;

std::string due_text(const json& row) {
  if (row.contains("in_line")) return "in line";
  return row.contains("due_in") ? text(row, "due_in") + " s" : "-";
}

// The message itself, or its shipments where it has several.
json shipments_of(const json& message) {
  return message.value("shipments", json::array({message}));
}

void print_row(const json& row) {
  std::string state = text(row, "state");
  if (row.contains("in_doubt")) state += "?";  // may already have been taken
  std::string doubt;
  for (const json& shipment : shipments_of(row))
    if (shipment.contains("doubted"))
      doubt += fmt::format(", {} in doubt at {}", text(shipment, "pending"), text(shipment, "doubted"));
  const std::uint64_t more = std::max<std::uint64_t>(1, row.value("to_count", std::uint64_t{1})) - 1;
  const std::string to = text(row, "to") + (more > 0 ? fmt::format(" and {} more", more) : "");
  const std::string reason = text(row, "reason");
  fmt::print("{:<12} {:<8} {:>9} {:<20} {:>3} {:>8}  {} -> {} ({} to go{}){}\n", text(row, "id"), state,
             text(row, "size"), text(row, "accepted"), text(row, "attempts"), due_text(row),
             text(row, "from"), to, text(row, "pending"), doubt, reason.empty() ? "" : ": " + reason);
}

void print_recipients(const json& list, const char* indent) {
  for (const json& recipient : list) {
    const std::string code = text(recipient, "code");
    fmt::print("{}{}: {}{}{}{}\n", indent, text(recipient, "to"), text(recipient, "state"),
               code.empty() || code == "0" ? "" : " " + code,
               recipient.contains("response") ? " " + text(recipient, "response") : "",
               recipient.contains("provider_id") ? " (id " + text(recipient, "provider_id") + ")" : "");
  }
}

// Where it may go now, in order, and which rule says so.
void print_routes(const json& message) {
  for (const json& route : message.value("routes", json::array())) {
    std::vector<std::string> ways;
    for (const json& way : route.value("upstreams", json::array())) ways.push_back(lane_name(way));
    fmt::print("upstreams  {}\n", fmt::join(ways, ", then "));
    fmt::print("rule       \"{}\" ({})\n", text(route, "rule"), text(route, "where"));
  }
}

void print_message(const json& message) {
  fmt::print("message    {}  {}\n", text(message, "id"), text(message, "state"));
  for (const json& shipment : shipments_of(message))
    if (shipment.contains("in_doubt"))
      fmt::print("in doubt   {} may already have taken it; doubtful recipients: {}\n",
                 text(shipment, "doubted"), text(shipment, "pending"));
  fmt::print("accepted   {} from {}{}{}\n", text(message, "accepted"), text(message, "client"),
             text(message, "account").empty() ? "" : " as " + text(message, "account"),
             text(message, "listener").empty() ? "" : ", listener " + text(message, "listener"));
  fmt::print("sender     <{}>\n", text(message, "sender"));
  fmt::print("size       {} octets\n", text(message, "size"));
  fmt::print("attempts   {}\n", text(message, "attempts"));
  print_routes(message);
  if (message.contains("in_line"))
    fmt::print("due        now: in line for a lane that is open\n");
  else if (message.contains("due_in"))
    fmt::print("due in     {} s\n", text(message, "due_in"));
  for (const json& shipment : message.value("shipments", json::array()))
    fmt::print("shipment   {}, recipients to go: {}, attempts: {}, due: {}\n", text(shipment, "state"),
               text(shipment, "pending"), text(shipment, "attempts"), due_text(shipment));
  fmt::print("recipients\n");
  print_recipients(message.value("recipients", json::array()), "  ");
  if (message.contains("history")) fmt::print("history\n");
  for (const json& event : message.value("history", json::array())) {
    fmt::print("  {} {} {} {}{}\n", text(event, "time"), text(event, "event"), text(event, "upstream"),
               text(event, "host"), text(event, "report"));
    print_recipients(event.value("recipients", json::array()), "    ");
  }
}

// One line of the answer. False: it was an error.
bool print_line(const Options& options, const json& object) {
  if (object.contains("error")) {
    fmt::print(stderr, "{}{}{}\n", text(object, "id"), object.contains("id") ? ": " : "",
               text(object, "error"));
    return false;
  }
  if (object.contains("end")) {
    if (options.queue.command == "list" && object.value("count", 0) == 0) fmt::print("The queue is empty\n");
  } else if (options.queue.command == "list") {
    print_row(object);
  } else if (options.queue.command == "show") {
    print_message(object);
    if (!options.queue.body) fmt::print("header\n{}\n", shown_lines(object.value("header", "")));
  } else {
    fmt::print("{}: {}\n", text(object, "id"), text(object, "done"));
  }
  return true;
}

}  // namespace

int queue(const Options& options) {
  const std::optional<std::string> path = daemon_address(options);
  if (!path) return EX_CONFIG;
  DaemonConnection daemon(*path);
  watch::Request request = options.queue;
  request.details = request.command == "list";
  if (!daemon.ask(request)) return daemon.no_answer();
  if (options.queue.command == "list" && !options.json)
    fmt::print("{:<12} {:<8} {:>9} {:<20} {:>3} {:>8}  {}\n", "ID", "STATE", "SIZE", "ACCEPTED", "TRY",
               "DUE IN", "SENDER -> RECIPIENT, WHY IT WAITS");
  std::string line;
  bool refused = false;
  Progress progress(true);
  while (daemon.line(line)) {
    const json object = parse_answer(line);
    if (object.is_discarded()) break;
    progress.step();
    if (object.contains("error") || object.contains("end")) progress.hide();
    if (options.json) fmt::print("{}\n", shown_json(line));
    refused |= options.json ? object.contains("error") : !print_line(options, object);
    if (object.contains("octets") && !daemon.copy(object["octets"].get<std::uint64_t>(), options.json)) break;
    if (object.contains("end") || !object.contains("id")) return refused ? 1 : EX_OK;
  }
  progress.hide();
  fmt::print(stderr, "relayd went away in the middle of its answer\n");
  return EX_UNAVAILABLE;
}

}  // namespace relayd::command
