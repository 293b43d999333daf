#include "relay/status.hpp"

#include <set>

namespace relayd {

using watch::LaneStatus;
using State = LaneStatus::State;

namespace {

struct Now {
  SteadyTime steady;
  WallTime wall;
};

WallTime wall_time(SteadyTime when, Now now) {
  return now.wall + std::chrono::duration_cast<WallTime::duration>(when - now.steady);
}

State state_of(const send::Lane& lane, std::size_t waiting, Now now) {
  if (lane.stopped()) return State::stopped;
  if (lane.paused_until() > now.steady) return State::paused;
  if (lane.quota().left(now.wall) == 0) return State::quota_used_up;
  if (lane.troubles() > 0) return State::probing;
  if (lane.pace().slowed(now.steady)) return State::slowed;
  const bool has_work = lane.connections() > lane.idle_connections() || waiting > 0;
  return has_work ? State::open : State::idle;
}

LaneStatus describe(const LaneEntry& entry, std::size_t waiting, Now now) {
  const send::Lane& lane = entry;
  const send::Quota& quota = lane.quota();
  const Duration spacing = lane.pace().spacing(config::Counted::recipients, now.steady);
  LaneStatus status;
  status.upstream = entry.upstream;
  status.account = entry.username;
  status.state = state_of(lane, waiting, now);
  status.until =
      status.state == State::quota_used_up ? quota.resets_at(now.wall) : wall_time(lane.closed_until(), now);
  status.reply_class = settle::to_string(entry.pause_class);
  status.reason = entry.pause_reason;
  status.pauses = lane.troubles();
  status.busy = lane.connections() - lane.idle_connections();
  status.idle = lane.idle_connections();
  status.allowed = lane.allowed_connections();
  status.waiting = waiting;
  if (spacing > Duration::zero())
    status.rate = std::chrono::duration<double>(std::chrono::minutes(1)) / spacing;
  if (quota.limited()) status.quota = {quota.limit(), quota.left(now.wall), quota.resets_at(now.wall)};
  if (!entry.ports.empty()) {
    status.port = entry.ports[entry.endpoint];
    status.first_port = entry.ports.front();
  }
  status.pipelining_reduced = !lane.sends_ahead();
  status.next_password = entry.next_password;
  status.last_reply = entry.last_reply;
  status.last_reply_at = entry.last_reply_at;
  return status;
}

}  // namespace

watch::Status status_of(const queue::Queue& queue, const Lanes& lanes, const Lines& lines, SteadyTime started,
                        const async::Loop& loop) {
  const Now now{loop.now(), loop.wall_now()};
  watch::Status status;
  status.now = now.wall;
  status.uptime = now.steady - started;
  status.totals = queue.totals();
  std::set<std::string_view> used;
  lanes.for_each([&](const LaneEntry& entry) {
    if (!entry.configured) return;
    status.lanes.push_back(describe(entry, lines.waiting(entry), now));
    used.insert(entry.upstream);
  });
  for (const route::Upstream& upstream : lanes.router().upstreams())
    if (!used.contains(upstream.name)) status.unused.push_back(upstream.name);
  return status;
}

}  // namespace relayd
