#include "relay/health.hpp"

#include <algorithm>
#include <random>

#include "queue/schedule.hpp"
#include "settle/decision.hpp"
#include "tell/log.hpp"

namespace relayd {

using settle::ReplyClass;
using settle::Verdict;

namespace {

// While mail waits, a lane is tried as often as this; sooner at first where trying costs nothing.
constexpr Duration longest_pause = std::chrono::seconds(60);
constexpr Duration first_knock = std::chrono::seconds(5);
// A quota comes back in its own time; looking once an hour finds it whatever the provider's day is.
constexpr Duration quota_pause = std::chrono::hours(1);
constexpr Duration next_port_after = std::chrono::milliseconds(1);
// A connection may end for reasons of its own; so many in a row are no accident.
constexpr unsigned ends_limit = 3;
// A site where something was taken so lately fares well with another connection.
constexpr Duration fares_well_for = std::chrono::minutes(1);

// Evenly from 0 to 1.
double chance() {
  static std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

// Greeting and login show whether what was met before MAIL is over.
send::Probe probe_for(const send::Event& event) {
  return event.stage < smtp::Stage::mail ? send::Probe::knock : send::Probe::message;
}

tell::Pause told(const Trouble& trouble, Duration wait) {
  return {trouble.report.host, settle::to_string(trouble.verdict.reply_class), smtp::code_of(trouble.event),
          smtp::enhanced_text(trouble.event), wait};
}

PauseReason reason_of(const Trouble& trouble, WallTime since) {
  return {trouble.verdict.reply_class, smtp::enhanced_text(trouble.event), since};
}

}  // namespace

Duration Health::backoff(std::uint32_t attempts) const {
  const config::Retry& retry = config_->queue.retry;
  return queue::retry_delay({retry.first, retry.factor, retry.maximum, retry.jitter}, attempts, chance());
}

Duration Health::jittered(Duration delay) const {
  return queue::retry_delay({delay, 1, delay, config_->queue.retry.jitter}, 1, chance());
}

bool Health::has_next_port(const LaneEntry& lane, const send::Report& report) const {
  const SiteEntry& site = lane.site;
  const bool failed = site.endpoint < site.ports.size() && site.ports[site.endpoint] == report.port;
  return site.endpoint + (failed ? 1 : 0) < site.ports.size();
}

// One step for each port that failed, however many connections failed at it together.
bool Health::takes_next_port(LaneEntry& lane, const Trouble& trouble) {
  const send::Event& event = trouble.event;
  if (!settle::leaves_port(event)) return false;
  SiteEntry& site = lane.site;
  if (site.endpoint < site.ports.size() && site.ports[site.endpoint] == trouble.report.port) {
    if (!site.leave_endpoint(loop_.now())) return false;
    tell::next_port(log_, {lane.upstream, lane.username}, event.text, site.ports[site.endpoint]);
  }
  return site.endpoint < site.ports.size();
}

// A wrong password is no quicker to be right than a minute; a host that was away may be back in seconds.
Duration Health::pause_of(const send::Breaker& breaker, const Verdict& verdict) const {
  if (verdict.wait.count() > 0) return verdict.wait;
  const unsigned troubles = breaker.troubles();
  switch (verdict.reply_class) {
    case ReplyClass::connect:
    case ReplyClass::tls:
      return jittered(std::min(first_knock * (1 << std::min(troubles, 4U)), longest_pause));
    case ReplyClass::rate:
    case ReplyClass::conn:
      return std::min({backoff(troubles + 1), jittered(first_knock) * (1 + troubles), longest_pause});
    case ReplyClass::quota:
      return jittered(quota_pause);
    default:
      return std::min(backoff(troubles + 1), jittered(longest_pause));
  }
}

void Health::stop(LaneEntry& lane, const Trouble& trouble) {
  if (trouble.verdict.scope == settle::Scope::upstream) return stop_site(lane, trouble);
  if (lane.site.breaker().knocks()) works(lane.site);  // it talks
  stop_lane(lane, trouble);
}

// Another connection may have said so already, or another lane tries by now.
void Health::stop_site(const LaneEntry& lane, const Trouble& trouble) {
  SiteEntry& site = lane.site;
  if (site.closed_to(lane)) return;
  // Where others deliver, a host that takes no connection has enough of them.
  const bool others_deliver = loop_.now() - site.worked_at <= fares_well_for;
  if (trouble.event.stage == smtp::Stage::connect && others_deliver && site.use_fewer_connections()) return;
  const Duration wait = pause_of(site.breaker(), trouble.verdict);
  site.ends = 0;
  site.pause_reason = reason_of(trouble, site.in_trouble() ? site.pause_reason.since : loop_.wall_now());
  tell::upstream_paused(log_, site.upstream, told(trouble, wait));
  site.pause(loop_.now() + wait, probe_for(trouble.event));
}

void Health::stop_lane(LaneEntry& lane, const Trouble& trouble) {
  if (lane.paused()) return;
  const ReplyClass what = trouble.verdict.reply_class;
  if (what == ReplyClass::conn && uses_fewer_connections(lane, trouble)) return;
  if (what == ReplyClass::rate && !keeps_rate(lane, trouble)) lane.slow_down();
  const Duration wait = pause_of(lane.breaker(), trouble.verdict);
  lane.ends = 0;
  const bool in_a_row = lane.breaker().in_trouble();
  lane.pause_reason = reason_of(trouble, in_a_row ? lane.pause_reason.since : loop_.wall_now());
  tell::lane_paused(log_, {lane.upstream, lane.username}, told(trouble, wait));
  lane.pause(loop_.now() + wait, probe_for(trouble.event));
}

// Connections that others hold count, too: a named number above those in use here is not about us.
bool Health::uses_fewer_connections(LaneEntry& lane, const Trouble& trouble) {
  const auto& [cap, named] = std::pair(trouble.verdict.cap, trouble.verdict.named);
  const bool of_all = cap == smtp::Cap::connections_total;
  const std::size_t used = of_all ? lane.site.used : lane.connections();
  if (named > 0 && named + 1 >= used) learn(lane, {cap, named, true}, trouble.event);
  return of_all ? lane.site.use_fewer_connections() : lane.use_fewer_connections();
}

bool Health::keeps_rate(LaneEntry& lane, const Trouble& trouble) {
  const std::optional<config::Rate>& rate = trouble.verdict.rate;
  if (!rate || !lane.learn_rate(*rate)) return false;
  tell::limit_learnt(log_, {lane.upstream, lane.username}, "rate", to_string(*rate),
                     smtp::enhanced_text(trouble.event));
  return true;
}

void Health::learn(LaneEntry& lane, const smtp::FoundCap& found, const send::Event& event) {
  if (!lane.site.learn(found, loop_.now())) return;
  tell::limit_learnt(log_, {lane.upstream, lane.username}, to_string(found.cap), std::to_string(found.most),
                     smtp::enhanced_text(event));
}

// Where each connection there is has ended, and none delivered, the account has nothing to do with it. A
// server that says nothing to a whole message puts it in doubt: where nobody fares better, it gets two and no
// more.
void Health::ended(LaneEntry& lane, const Trouble& trouble) {
  Verdict verdict = trouble.verdict;
  verdict.reply_class = ReplyClass::connect;
  ++lane.ends;
  ++lane.site.ends;
  const Trouble in_a_row{trouble.event, verdict, trouble.report};
  const bool deaf = verdict.in_doubt && loop_.now() - lane.site.worked_at > fares_well_for;
  const bool too_many = lane.site.ends >= (deaf ? 2 : std::max(ends_limit, lane.site.used));
  if (lane.site.in_trouble() || too_many)
    stop_site(lane, in_a_row);
  else if (lane.breaker().in_trouble() || lane.ends >= ends_limit)
    stop_lane(lane, in_a_row);
}

void Health::works(SiteEntry& site) {
  site.ends = 0;
  site.worked_at = loop_.now();
  if (!site.in_trouble()) return;
  tell::upstream_resumed(log_, site.upstream);
  site.resume();
}

void Health::works(LaneEntry& lane) {
  lane.ends = 0;
  lane.passed_over = false;
  works(lane.site);
  if (!lane.breaker().in_trouble()) return;
  tell::lane_resumed(log_, {lane.upstream, lane.username});
  lane.resume();
}

void Health::knocked(LaneEntry& lane, const send::Report& report, const std::optional<send::Event>& failed) {
  if (!failed) return works(lane);
  lane.passed_over = false;
  lane.last_reply = smtp::one_line(*failed);
  lane.last_reply_at = loop_.wall_now();
  const Verdict verdict = settle::judge(*failed, lane.provider);
  const Trouble trouble{*failed, verdict, report};
  if (!takes_next_port(lane, trouble)) return stop(lane, trouble);
  // Where only the lane was in trouble, its next message takes that port.
  if (lane.site.in_trouble()) lane.site.knock_again(loop_.now() + next_port_after);
}

}  // namespace relayd
