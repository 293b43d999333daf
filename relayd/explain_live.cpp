#include "explain_live.hpp"

#include <fmt/format.h>

#include "daemon_connection.hpp"
#include "lane_text.hpp"
#include "shown.hpp"
#include "status.hpp"

namespace relayd::command {

using nlohmann::json;

bool explain_lanes(const std::string& socket, std::span<const route::Choice> choices,
                   std::string_view routing_sender, std::string& out) {
  const Standing standing = ask_status(socket);
  if (!standing.status) {
    fmt::print(stderr, "{}\n", standing.why);
    return false;
  }
  const json lanes = standing.status->value("lanes", json::array());
  for (const route::Choice& choice : choices) {
    const std::string_view user = route::user_of(choice, routing_sender);
    std::string found;
    for (const json& lane : lanes)
      if (lane.value("upstream", "") == choice.upstream->name && lane.value("account", "") == user)
        found = lane_text(lane, text(*standing.status, "time"));
    if (found.empty())
      found = fmt::format("{}{}: not used yet\n", shown(choice.upstream->name),
                          user.empty() ? "" : " as " + shown(user));
    out += "live       " + found;
  }
  return true;
}

}  // namespace relayd::command
