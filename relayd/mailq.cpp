// mailq: what waits in the queue of the running daemon, in the form that programs know from Postfix.
#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "daemon_connection.hpp"
#include "sendmail.hpp"
#include "watch/admin_request.hpp"

namespace relayd::command {

namespace {

using nlohmann::json;

constexpr std::size_t shown_at_once = 64;

// Asks and hands each line of the answer to `take`. False: the daemon went away before the end.
template <class Take>
bool ask(const std::string& path, const watch::Request& request, Take take) {
  DaemonConnection daemon(path);
  std::string line;
  if (!daemon.ask(request)) return false;
  while (daemon.line(line)) {
    const json object = parse_answer(line);
    if (object.is_discarded()) return false;
    if (object.contains("end")) return true;
    take(object);
  }
  return false;
}

// "2026-11-20T10:00:00Z" as "Fri Nov 20 11:00:00", in the time of this machine.
std::string arrival(const std::string& text) {
  std::tm time{};
  if (!::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%SZ", &time)) return text;
  const std::time_t moment = ::timegm(&time);
  char shown[32];
  std::strftime(shown, sizeof shown, "%a %b %e %H:%M:%S", ::localtime_r(&moment, &time));
  return shown;
}

// Why a recipient still waits: the last reply about it.
std::string reason(const json& message, const std::string& recipient) {
  std::string found;
  for (const json& event : message.value("history", json::array()))
    for (const json& outcome : event.value("recipients", json::array()))
      if (text(outcome, "to") == recipient) found = text(outcome, "response");
  return found;
}

void print_message(const json& message) {
  const std::string state = text(message, "state");
  const char mark = state == "ready" ? '*' : state == "held" ? '!' : ' ';
  const std::string sender = text(message, "sender");
  fmt::print("{:<12}{} {:>8} {} {}\n", text(message, "id"), mark, text(message, "size"),
             arrival(text(message, "accepted")), sender.empty() ? "MAILER-DAEMON" : sender);
  for (const json& recipient : message.value("recipients", json::array())) {
    const std::string fate = text(recipient, "state");
    if (fate != "pending" && fate != "doubtful") continue;
    const std::string address = text(recipient, "to");
    const std::string why = reason(message, address);
    if (!why.empty()) fmt::print("{:>42}\n", "(" + why + ")");
    fmt::print("{:<42}{}\n", "", address);
  }
  fmt::print("\n");
}

}  // namespace

int mailq(const Options& options) {
  const std::optional<std::string> place = daemon_address(options);
  if (!place) return EX_CONFIG;
  const std::string& path = *place;
  if (const DaemonConnection daemon(path); !daemon.connected()) return daemon.no_answer();

  // Mail that has failed is kept for the operator, but waits for nothing: `relayd queue list` has it.
  std::vector<std::string> ids;
  std::uint64_t octets = 0;
  watch::Request request;
  request.command = "list";
  bool whole = ask(path, request, [&](const json& row) {
    if (text(row, "state") == "failed") return;
    ids.push_back(text(row, "id"));
    octets += row.value("size", std::uint64_t{0});
  });
  if (whole && ids.empty()) fmt::print("Mail queue is empty\n");
  if (!ids.empty()) fmt::print("-Queue ID-   ---Size-- ---Arrival Time--- -Sender/Recipient------\n");
  request.command = "show";
  for (std::size_t at = 0; whole && at < ids.size(); at += shown_at_once) {
    const std::size_t end = std::min(ids.size(), at + shown_at_once);
    request.ids.assign(ids.begin() + static_cast<std::ptrdiff_t>(at),
                       ids.begin() + static_cast<std::ptrdiff_t>(end));
    whole = ask(path, request, [](const json& message) {
      if (!message.contains("error")) print_message(message);
    });
  }
  if (!whole) {
    fmt::print(stderr, "mailq: relayd went away in the middle of its answer\n");
    return EX_UNAVAILABLE;
  }
  if (!ids.empty())
    fmt::print("-- {} Kbytes in {} Request{}.\n", (octets + 1023) / 1024, ids.size(),
               ids.size() == 1 ? "" : "s");
  return EX_OK;
}

}  // namespace relayd::command
