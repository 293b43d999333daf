#include "watch/admin_request.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "shared/mail/address.hpp"
#include "shared/mail/lookup_key.hpp"

namespace relayd::watch {

using nlohmann::json;

namespace {
constexpr std::string_view commands[] = {"list",           "show",          "retry",        "hold",
                                         "release",        "delete",        "status",       "health",
                                         "pause",          "resume",        "reload",       "history",
                                         "metrics",        "suppress_list", "suppress_add", "suppress_remove",
                                         "suppress_import"};

// What a request about suppressed recipients lacks; empty: nothing.
std::string fault_of_suppress(const Request& request) {
  const bool names = request.command == "suppress_add" || request.command == "suppress_remove";
  if (names && request.recipient.empty()) return "which recipient? Give its address";
  constexpr std::int64_t longest = std::int64_t{3650} * 86400;
  if (request.seconds < 0 || request.seconds > longest) return "at most ten years";
  if (request.octets > longest_import)
    return fmt::format("an import has at most {} octets: divide it", longest_import);
  return {};
}
}  // namespace

std::string to_line(const Request& request) {
  const json line = {{"command", request.command},
                     {"ids", request.ids},
                     {"all", request.all},
                     {"sender", request.sender},
                     {"recipient", request.recipient},
                     {"upstream", request.upstream},
                     {"account", request.account},
                     {"state", request.state},
                     {"details", request.details},
                     {"body", request.body},
                     {"not_taken", request.not_taken},
                     {"bounce", request.bounce},
                     {"failed", request.failed},
                     {"reason", request.reason},
                     {"seconds", request.seconds},
                     {"limit", request.limit},
                     {"after", request.after},
                     {"octets", request.octets}};
  return line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::vector<std::string> request_members() {
  const json members = json::parse(to_line({}));
  std::vector<std::string> names;
  for (const auto& [name, value] : members.items()) names.push_back(name);
  return names;
}

Result<Request> parse_request(std::string_view line) {
  const json object = json::parse(line, nullptr, false);
  if (object.is_discarded()) return Error{"not a request: it is no JSON"};
  return request_of(object);
}

Result<Request> request_of(const json& object) {
  Request request;
  try {
    request.command = object.at("command").get<std::string>();
    request.ids = object.value("ids", request.ids);
    request.all = object.value("all", false);
    request.sender = object.value("sender", "");
    request.recipient = object.value("recipient", "");
    request.upstream = object.value("upstream", "");
    request.account = object.value("account", "");
    request.state = object.value("state", "");
    request.details = object.value("details", false);
    request.body = object.value("body", false);
    request.not_taken = object.value("not_taken", false);
    request.bounce = object.value("bounce", false);
    request.failed = object.value("failed", false);
    request.reason = object.value("reason", "");
    request.seconds = object.value("seconds", request.seconds);
    request.limit = object.value("limit", request.limit);
    request.after = object.value("after", "");
    request.octets = object.value("octets", request.octets);
  } catch (const json::exception& error) {
    return Error{fmt::format("not a request: {}", error.what())};
  }
  if (std::find(std::begin(commands), std::end(commands), request.command) == std::end(commands))
    return Error{fmt::format("unknown command '{}'", request.command)};
  if (request.command == "pause" || request.command == "resume") {
    if (request.upstream.empty())
      return Error{fmt::format("{} which lane? Name its upstream", request.command)};
    return request;
  }
  if (request.is_of_suppressed()) {
    const std::string fault = fault_of_suppress(request);
    if (!fault.empty()) return Error{fault};
    return request;
  }
  if (request.command == "show" && request.ids.empty()) return Error{"show which message? Give its id"};
  // Who says so has looked at the upstream for each of them.
  if (request.not_taken && (request.command != "retry" || request.ids.empty() || request.has_filter()))
    return Error{"--not-taken goes with retry and the ids of messages"};
  if (request.details && request.command != "list") return Error{"details go with list"};
  if (request.bounce && request.command != "delete") return Error{"--bounce goes with delete"};
  if (request.failed && request.command != "retry") return Error{"--failed goes with retry"};
  const bool is_of_messages = request.command != "status" && request.command != "health" &&
                              request.command != "reload" && request.command != "history" &&
                              request.command != "metrics";
  if (is_of_messages && request.command != "list" && request.ids.empty() && !request.all &&
      !request.has_filter())
    return Error{fmt::format("{} which messages? Give ids, a filter, or --all", request.command)};
  return request;
}

bool fits(std::string_view pattern, std::string_view address) {
  if (pattern.empty()) return true;
  const std::string wanted = mail::lookup_key(pattern);
  return wanted.front() == '@' ? "@" + mail::folded_domain(address) == wanted
                               : mail::lookup_key(address) == wanted;
}

}  // namespace relayd::watch
