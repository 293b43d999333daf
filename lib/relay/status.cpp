#include "relay/status.hpp"

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "relay/doctor.hpp"

namespace relayd {

using watch::LaneStatus;
using State = LaneStatus::State;
using async::Task;

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
  if (lane.in_trouble()) return State::probing;
  if (lane.pace().slowed(now.steady)) return State::slowed;
  const bool has_work = lane.connections() > lane.idle_connections() || waiting > 0;
  return has_work ? State::open : State::idle;
}

// So many a minute; 0: no limit.
double per_minute(Duration spacing) {
  if (spacing == Duration::zero()) return 0;
  return std::chrono::duration<double>(std::chrono::minutes(1)) / spacing;
}

std::vector<LaneStatus::LearntLimit> learnt_limits(const LaneEntry& lane, Now now) {
  std::vector<LaneStatus::LearntLimit> limits;
  for (const auto& [cap, entry] : lane.site.learnt.entries())
    if (now.steady < entry.until)
      limits.push_back(
          {std::string(to_string(cap)), std::to_string(entry.most), wall_time(entry.until, now)});
  for (const auto& [rate, until] : lane.pace().learnt())
    if (now.steady < until) limits.push_back({"rate", to_string(rate), wall_time(until, now)});
  return limits;
}

void describe(const SiteEntry& site, watch::Status& status) {
  watch::Status::Upstream upstream{site.upstream, site.contacts.opened, {}, site.contacts.tls};
  for (std::size_t stage = 0; stage < site.contacts.failed.size(); ++stage)
    upstream.failed.emplace_back(smtp::to_string(static_cast<smtp::Stage>(stage)),
                                 site.contacts.failed[stage]);
  status.upstreams.push_back(std::move(upstream));
  if (site.contacts.certificate_until)
    status.certificates.push_back({"server", site.upstream, site.contacts.certificate_until});
}

void describe_limits(const send::Lane& lane, Now now, LaneStatus& status) {
  const send::Pace& pace = lane.pace();
  status.recipients_per_minute = per_minute(pace.spacing(config::Counted::recipients, now.steady));
  status.messages_per_minute = per_minute(pace.spacing(config::Counted::messages, now.steady));
  status.rate_left = pace.left(now.steady);
  for (const config::Rate& rate : pace.rates()) status.rates.push_back(to_string(rate));
  for (const send::Allowance::Standing& standing : lane.quota().standings(now.wall))
    status.quotas.push_back({standing.quota.count, standing.left, standing.eases_at,
                             std::string(to_string(standing.quota.counted)), period_text(standing.quota),
                             standing.total});
}

LaneStatus::Learnt describe(const SiteEntry& site, Now now) {
  LaneStatus::Learnt learnt;
  constexpr const char* states[] = {"untried", "trying", "earned", "lost"};
  const send::Ahead::State ahead = site.ahead.state(now.steady);
  learnt.ahead = states[static_cast<std::size_t>(ahead)];
  if (ahead == send::Ahead::State::earned || ahead == send::Ahead::State::lost)
    learnt.ahead_until = wall_time(site.ahead.until(), now);
  if (site.offered) {
    learnt.offer = smtp::to_lines(*site.offered);
    learnt.offer_until = wall_time(site.offered_at + SiteEntry::offer_holds, now);
  }
  if (site.endpoint > 0) learnt.port_until = wall_time(site.left_at + SiteEntry::port_holds, now);
  if (site.ceiling() < site.limit) learnt.connections = site.ceiling();
  return learnt;
}

void describe(const LaneEntry& entry, std::size_t waiting, Now now, LaneStatus& status) {
  const send::Lane& lane = entry;
  status.upstream = entry.upstream;
  status.account = entry.username;
  status.grant = entry.grant;
  status.state = state_of(lane, waiting, now);
  status.until = status.state == State::quota_used_up ? lane.quota().opens_at(now.wall)
                                                      : wall_time(lane.closed_until(), now);
  const PauseReason& reason = entry.site.in_trouble() ? entry.site.pause_reason : entry.pause_reason;
  status.since = lane.stopped() ? entry.stopped_at : reason.since;
  status.reply_class = settle::to_string(reason.reply_class);
  status.reason = reason.text;
  status.pauses = entry.site.in_trouble() ? entry.site.breaker().troubles() : lane.breaker().troubles();
  status.busy = lane.connections() - lane.idle_connections();
  status.idle = lane.idle_connections();
  status.allowed = lane.allowed_connections();
  status.waiting = waiting;
  describe_limits(lane, now, status);
  if (!entry.site.ports.empty()) {
    status.port = entry.site.ports[entry.site.endpoint];
    status.first_port = entry.site.ports.front();
    status.learnt = describe(entry.site, now);
    status.learnt.limits = learnt_limits(entry, now);
  }
  status.pipelining_reduced = !lane.sends_ahead();
  status.next_password = entry.next_password;
  status.last_reply = entry.last_reply;
  status.last_reply_at = entry.last_reply_at;
}

// The rules that lead to a lane, by the id of their choice. A walk through very many would hold up mail.
class RulesOfLanes {
 public:
  explicit RulesOfLanes(std::shared_ptr<const route::Router> router) : router_(std::move(router)) {
    if (router_->rules().size() > most_rules) return;
    for (std::size_t i = 0; i < router_->rules().size(); ++i)
      for (const route::Choice& choice : router_->choices()[i]) {
        std::vector<std::string_view>& those = rules_[choice.id];
        if (those.empty() || those.back() != router_->rules()[i]->match)
          those.push_back(router_->rules()[i]->match);
      }
  }

  bool are_of(const route::Router& router) const { return router_.get() == &router; }

  void name(const LaneEntry& entry, LaneStatus& status) const {
    const auto found = rules_.find(entry.id);
    if (found == rules_.end()) return;
    status.sender_rules = found->second.size();
    const std::size_t shown = std::min(most_senders, found->second.size());
    status.senders.assign(found->second.begin(), found->second.begin() + static_cast<std::ptrdiff_t>(shown));
  }

 private:
  static constexpr std::size_t most_rules = 2000;
  static constexpr std::size_t most_senders = 5;

  std::shared_ptr<const route::Router> router_;  // has the texts, also after a reload
  std::unordered_map<std::string_view, std::vector<std::string_view>> rules_;
};

constexpr std::size_t lanes_of_a_slice = 100;

Task<std::vector<LaneStatus>> describe_lanes(const Lanes& lanes, const Lines& lines, async::Loop& loop) {
  std::vector<LaneStatus> statuses;
  statuses.reserve(lanes.size());  // or all would move each time that it grows
  std::optional<RulesOfLanes> rules;
  std::uint64_t last = 0;
  do {
    if (!rules || !rules->are_of(lanes.router())) {
      rules.emplace(lanes.shared_router());
      statuses.clear();
      last = 0;
    }
    const Now now{loop.now(), loop.wall_now()};
    last = lanes.for_some(last, lanes_of_a_slice, [&](const LaneEntry& entry) {
      if (!entry.configured) return;
      LaneStatus& status = statuses.emplace_back();
      describe(entry, lines.waiting(entry), now, status);
      rules->name(entry, status);
    });
    if (last != 0) co_await async::sleep_until(loop, loop.now());
  } while (last != 0);
  co_return statuses;
}

// Once its lanes are known.
void describe_upstreams(const Lanes& lanes, watch::Status& status) {
  std::set<std::string_view> used;
  for (const LaneStatus& lane : status.lanes) used.insert(lane.upstream);
  for (const route::Upstream& upstream : lanes.router().upstreams()) {
    if (!used.contains(upstream.name)) status.unused.push_back(upstream.name);
    if (upstream.kept_in()) continue;
    describe(lanes.site_of(upstream), status);
    if (const std::string& file = upstream.tls_options.client_certificate; !file.empty())
      status.certificates.push_back({"client", upstream.name, std::nullopt, file});
  }
}

}  // namespace

Task<watch::Status> status_of(const queue::Queue& queue, const Lanes& lanes, const Lines& lines,
                              SteadyTime started, async::Loop& loop) {
  watch::Status status;
  status.lanes = co_await describe_lanes(lanes, lines, loop);
  status.now = loop.wall_now();
  status.uptime = loop.now() - started;
  status.totals = queue.totals();
  status.disk = queue.disk_use();
  const config::Config& config = lanes.router().config();
  status.disk_reserve = config.queue.reserve;
  for (const Ending& ending : secrets_that_end(config))
    status.credentials.push_back({"client_secret", {ending.upstream, ending.account}, ending.until});
  describe_upstreams(lanes, status);
  co_return status;
}

}  // namespace relayd
