#include "relay/lane_commands.hpp"

#include <algorithm>
#include <set>

#include "tell/log.hpp"

namespace relayd {

void clear_way(Lanes& lanes, std::span<const route::Choice> choices, std::string_view routing_sender) {
  for (const route::Choice& choice : choices) {
    LaneEntry& lane = lanes.lane_for(choice, routing_sender);
    lane.site.probe();
    lane.probe();
  }
}

std::vector<std::string> steer(Lanes& lanes, telemetry::Log& log, const std::string& upstream,
                               const std::string& account, bool stops, WallTime now) {
  const auto is_meant = [&](std::string_view its_upstream, std::string_view username) {
    return its_upstream == upstream && (account.empty() || username == account);
  };
  std::set<LaneEntry*> chosen;
  for (const std::vector<route::Choice>& choices : lanes.router().choices())
    for (const route::Choice& choice : choices)
      if (choice.is_of_sender())
        lanes.for_each([&](LaneEntry& lane) {
          if (lane.id == choice.id && is_meant(lane.upstream, lane.username)) chosen.insert(&lane);
        });
      else if (is_meant(choice.upstream->name, choice.username))
        chosen.insert(&lanes.lane_for(choice, {}));
  std::vector<std::string> accounts;
  for (LaneEntry* const lane : chosen) {
    if (!stops) lane->site.probe();
    if (stops && !lane->stopped()) lane->stopped_at = now;
    stops ? lane->stop() : lane->go_on();
    accounts.push_back(lane->username);
    stops ? tell::lane_stopped(log, {upstream, lane->username})
          : tell::lane_released(log, {upstream, lane->username});
  }
  std::ranges::sort(accounts);
  return accounts;
}

}  // namespace relayd
