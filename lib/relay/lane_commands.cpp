#include "relay/lane_commands.hpp"

#include <algorithm>
#include <set>

#include "tell/log.hpp"

namespace relayd {

void clear_way(Lanes& lanes, const queue::Message& message) {
  for (const route::Choice& choice : lanes.router().route(message.routing_sender).choices) {
    LaneEntry& lane = lanes.lane_for(choice);
    lane.site.probe();
    lane.probe();
  }
}

std::vector<std::string> steer(Lanes& lanes, telemetry::Log& log, const std::string& upstream,
                               const std::string& account, bool stops) {
  std::set<LaneEntry*> chosen;
  for (const std::vector<route::Choice>& choices : lanes.router().choices())
    for (const route::Choice& choice : choices)
      if (choice.upstream->name == upstream && (account.empty() || choice.username == account))
        chosen.insert(&lanes.lane_for(choice));
  std::vector<std::string> accounts;
  for (LaneEntry* const lane : chosen) {
    if (!stops) lane->site.probe();
    stops ? lane->stop() : lane->go_on();
    accounts.push_back(lane->username);
    stops ? tell::lane_stopped(log, {upstream, lane->username})
          : tell::lane_released(log, {upstream, lane->username});
  }
  std::ranges::sort(accounts);
  return accounts;
}

}  // namespace relayd
