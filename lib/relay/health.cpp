#include "relay/health.hpp"

#include <algorithm>
#include <random>

#include "queue/schedule.hpp"

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

// Evenly from 0 to 1.
double chance() {
  static std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

// Greeting and login show whether it is over.
bool shows_at_login(const send::Event& event) {
  return event.stage < smtp::Stage::mail;
}

}  // namespace

bool stops_lane(const Verdict& verdict) {
  return verdict.scope == settle::Scope::lane || verdict.scope == settle::Scope::upstream;
}

std::string response_text(const send::Event& event) {
  return event.trouble ? smtp::escape(event.text) : smtp::enhanced_text(event.reply);
}

Duration Health::backoff(std::uint32_t attempts) const {
  const config::Retry& retry = config_->queue.retry;
  return queue::retry_delay({retry.first, retry.factor, retry.maximum, retry.jitter}, attempts, chance());
}

Duration Health::jittered(Duration delay) const {
  return queue::retry_delay({delay, 1, delay, config_->queue.retry.jitter}, 1, chance());
}

// One step for each port that failed, however many connections failed at it together. A port that lets us
// connect and then says nothing is as good as blocked.
bool Health::takes_next_port(LaneEntry& lane, const Trouble& trouble) {
  const send::Event& event = trouble.event;
  const bool silent = event.stage == smtp::Stage::greeting && event.trouble == smtp::Trouble::broken;
  if (event.trouble != smtp::Trouble::unreachable && !silent) return false;
  if (lane.endpoint < lane.ports.size() && lane.ports[lane.endpoint] == trouble.report.port) {
    ++lane.endpoint;
    if (lane.endpoint < lane.ports.size())
      log_.warning("next_port", {{"upstream", lane.upstream},
                                 {"account", lane.username},
                                 {"response", event.text},
                                 {"port", lane.ports[lane.endpoint]}});
  }
  if (lane.endpoint < lane.ports.size()) return true;
  lane.endpoint = 0;
  return false;
}

// A wrong password is no quicker to be right than a minute; a host that was away may be back in seconds.
Duration Health::pause_of(LaneEntry& lane, const Verdict& verdict) const {
  if (verdict.wait.count() > 0) return verdict.wait;
  const ReplyClass what = verdict.reply_class;
  const unsigned doublings = std::min(lane.troubles(), 4U);
  switch (what) {
    case ReplyClass::connect:
    case ReplyClass::tls:
      return jittered(std::min(first_knock * (1 << doublings), longest_pause));
    case ReplyClass::rate:
    case ReplyClass::conn:
      return std::min(backoff(lane.troubles() + 1), jittered(first_knock) * (1 + lane.troubles()));
    case ReplyClass::quota:
      return std::max(backoff(lane.troubles() + 1), jittered(quota_pause));
    default:
      return std::min(backoff(lane.troubles() + 1), jittered(longest_pause));
  }
}

void Health::stop(LaneEntry& lane, const Trouble& trouble) {
  if (lane.paused()) return;  // another connection of this lane has said so already
  const ReplyClass what = trouble.verdict.reply_class;
  if (what == ReplyClass::conn && lane.use_fewer_connections()) return;
  if (what == ReplyClass::rate) lane.slow_down();
  const Duration wait = pause_of(lane, trouble.verdict);
  lane.ends = 0;
  lane.pause_class = what;
  lane.pause_reason = response_text(trouble.event);
  log_.warning("lane_paused", {{"upstream", lane.upstream},
                               {"account", lane.username},
                               {"host", trouble.report.host},
                               {"class", settle::to_string(what)},
                               {"code", trouble.event.trouble ? 0 : trouble.event.reply.code},
                               {"response", lane.pause_reason},
                               {"delay", std::chrono::duration<double>(wait).count()}});
  lane.pause(loop_.now() + wait,
             shows_at_login(trouble.event) ? send::Lane::Probe::knock : send::Lane::Probe::message);
}

void Health::ended(LaneEntry& lane, const Trouble& trouble) {
  if (++lane.ends < ends_limit && lane.troubles() == 0) return;
  Verdict verdict = trouble.verdict;
  verdict.reply_class = ReplyClass::connect;
  stop(lane, {trouble.event, verdict, trouble.report});
}

void Health::works(LaneEntry& lane) {
  lane.ends = 0;
  lane.passed_over = false;
  if (lane.troubles() == 0) return;
  log_.info("lane_resumed", {{"upstream", lane.upstream}, {"account", lane.username}});
  lane.resume();
}

void Health::knocked(LaneEntry& lane, const send::Report& report, const std::optional<send::Event>& failed) {
  if (!failed) return works(lane);
  lane.passed_over = false;
  lane.last_reply = failed->trouble ? smtp::escape(failed->text) : smtp::one_line(failed->reply);
  lane.last_reply_at = loop_.wall_now();
  const Verdict verdict = failed->trouble ? settle::judge(failed->stage, *failed->trouble)
                                          : settle::judge(failed->stage, failed->reply, lane.provider);
  const Trouble trouble{*failed, verdict, report};
  if (takes_next_port(lane, trouble)) return lane.knock_again(loop_.now() + next_port_after);
  stop(lane, trouble);
}

}  // namespace relayd
