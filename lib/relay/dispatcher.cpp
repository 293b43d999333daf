#include "relay/dispatcher.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <random>

#include "relay/doubt.hpp"
#include "relay/queue_delivery.hpp"
#include "settle/provider_id.hpp"

namespace relayd {

using async::Task;
using queue::Message;
using queue::MessageId;
using queue::RecipientState;
using settle::Action;
using settle::ReplyClass;
using settle::Verdict;

namespace {

// A lane's trouble in a sense that stops it: nothing of this credential would fare better.
bool stops_lane(const Verdict& verdict) {
  return verdict.scope == settle::Scope::lane || verdict.scope == settle::Scope::upstream;
}

std::string response_text(const send::Event& event) {
  return event.trouble ? smtp::escape(event.text) : smtp::enhanced_text(event.reply);
}

// Evenly from 0 to 1.
double chance() {
  static std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

// Too fast, or too many connections: soon over.
constexpr Duration short_pause = std::chrono::seconds(5);
// A quota comes back in its own time; looking once an hour finds it whatever the provider's day is.
constexpr Duration quota_pause = std::chrono::hours(1);

// No clock that is right says an earlier time.
constexpr WallTime first_believable = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

// What troubles a lane, or closes it, is a reason to pass it over.
bool may_be_passed_over(const LaneEntry& entry) {
  const ReplyClass what = entry.lane->troubles() > 0 ? entry.pause_class : ReplyClass::quota;
  return std::ranges::find(entry.retry_next_on, settle::to_string(what)) != entry.retry_next_on.end();
}

std::string rule_text(const route::Route& route) {
  return route.rule ? route.rule->match : std::string();
}

}  // namespace

// What is known while one report is settled.
struct Dispatcher::Settlement {
  Message& message;
  LaneEntry& entry;
  const QueueDelivery& delivery;
  const send::Report& report;
  bool has_next = false;  // the route has another upstream behind this one
  bool in_doubt = false;  // the upstream may have taken it, and nothing was heard
  queue::Outcome outcome;
  Verdict worst;  // what decides about the lane and the next attempt: the last that was not plain success
  const send::Event* event = nullptr;  // its event
  bool delivered = false;
  bool moves_on = false;
  bool at_once = false;
  bool leaves = false;          // the connection, which is no good any more
  std::chrono::seconds wait{};  // the longest that was told for one of them
};

Dispatcher::Dispatcher(async::Loop& loop, async::Workers& workers, disk::Disk& disk, telemetry::Log& log,
                       async::Dialer& dialer, queue::Queue& queue, const Setup& setup)
    : loop_(loop),
      workers_(workers),
      log_(log),
      queue_(queue),
      setup_(setup),
      give_up_(loop, log, queue),
      quotas_(loop, workers, disk, log),
      lanes_(loop, workers, log, dialer, quotas_, *this) {
  lanes_.use(setup_.router);
}

void Dispatcher::use(const Setup& setup) {
  setup_ = setup;
  lanes_.use(setup_.router);
}

Duration Dispatcher::backoff(std::uint32_t attempts) {
  const config::Retry& retry = setup_.config->queue.retry;
  return queue::retry_delay({retry.first, retry.factor, retry.maximum, retry.jitter}, attempts, chance());
}

// A delay with the jitter of the configuration.
Duration Dispatcher::jittered(Duration delay) {
  return queue::retry_delay({delay, 1, delay, setup_.config->queue.retry.jitter}, 1, chance());
}

// When a message is given up; it must come up then, whatever it waits for.
SteadyTime Dispatcher::end_of_life(const Message& message) const {
  const WallTime from = clock_was_wrong(message) ? loop_.wall_now() : message.lives_from;
  const WallTime end = from + setup_.config->queue.lifetime;
  return loop_.now() + std::max<Duration>(end - loop_.wall_now(), Duration::zero());
}

// --- from the queue to a lane ---

// Where a message may go now, or when to look again.
struct Dispatcher::Way {
  LaneEntry* entry = nullptr;  // null: no lane is open
  std::size_t step = 0;
  SteadyTime look_again{};
};

// The first lane that is open. One that is only trying whether its trouble is over gets what has no other
// way, and nobody goes further than a lane whose trouble is no reason for that.
Dispatcher::Way Dispatcher::find_way(const Message& message, std::span<const route::Choice> choices) {
  std::size_t first = message.route_step < choices.size() ? message.route_step : 0;
  std::size_t last = choices.size();
  if (const std::optional<std::size_t> doubted = doubted_step(message, choices)) {
    // A message that may already have been taken waits for the one that may have it. Recipients for whom that
    // is out of the question go there with the rest, or on without them.
    if (message.doubtful == message.pending) {
      first = *doubted;
      last = first + 1;
    } else if (*doubted >= first) {
      LaneEntry& entry = lanes_.lane_for(choices[*doubted]);
      if (entry.lane->open() && !entry.lane->probing()) return {&entry, *doubted, {}};
    }
  }
  Way way{nullptr, 0, SteadyTime::max()};
  for (std::size_t step = first; step < last; ++step) {
    LaneEntry& entry = lanes_.lane_for(choices[step]);
    const bool open = entry.lane->open();
    if (open && !entry.lane->probing()) return {&entry, step, {}};
    if (!open) {
      way.look_again = std::min(way.look_again, entry.lane->closed_until());
    } else if (!way.entry) {
      way.entry = &entry;
      way.step = step;
    }
    if (!may_be_passed_over(entry)) break;
  }
  return way;
}

void Dispatcher::dispatch(Message& message) {
  if (stopping_) return queue_.release(message, loop_.now() + backoff(1));
  if (is_expired(message)) return expire(message);
  const route::Route route = setup_.router->route(message.routing_sender);
  if (!route.reject.empty()) return give_up_.take(message, "failed", std::string(route.reject));
  if (route.choices.empty()) return defer_unroutable(message);
  const Way way = find_way(message, route.choices);
  if (!way.entry) {
    message.route_step = 0;
    return queue_.release(message, std::min(way.look_again, end_of_life(message)));
  }
  message.route_step = static_cast<std::uint8_t>(way.step);
  under_way_[message.id.value] = way.entry;
  const std::uint32_t left_out = takes_doubtful(message, way.entry->upstream) ? 0 : message.doubtful;
  way.entry->lane->enqueue(message.routing_sender, {message.id.value, message.pending - left_out});
}

// Whether that upstream may have those recipients that one may have reached already: it is the one, or the
// one is out of reach for good.
bool Dispatcher::takes_doubtful(const Message& message, std::string_view upstream) const {
  return message.doubted == upstream ||
         !doubted_step(message, setup_.router->route(message.routing_sender).choices);
}

void Dispatcher::clear_way(const Message& message) {
  for (const route::Choice& choice : setup_.router->route(message.routing_sender).choices)
    lanes_.lane_for(choice).lane->probe();
}

void Dispatcher::defer_unroutable(Message& message) {
  queue::Outcome outcome;
  outcome.when = loop_.wall_now();
  outcome.next_attempt =
      outcome.when + std::chrono::duration_cast<std::chrono::microseconds>(backoff(message.attempts + 1U));
  log_.warning("deferred", {{"id", queue::to_string(message.id)},
                            {"from", message.routing_sender},
                            {"response", "no sender rule matches: add one to `senders:`"},
                            {"class", "none"}});
  queue_.settle(message, outcome);
}

// A clock that has not been set yet, at a start without a battery, says 1970: what was accepted then is not
// old.
bool Dispatcher::is_expired(Message& message) {
  if (clock_was_wrong(message)) queue_.renew(message);
  return queue::expired(message.lives_from, setup_.config->queue.lifetime, loop_.wall_now());
}

bool Dispatcher::clock_was_wrong(const Message& message) const {
  return message.lives_from < first_believable && loop_.wall_now() >= first_believable;
}

void Dispatcher::expire(Message& message) {
  give_up_.take(message, "expired",
                fmt::format("not delivered within {} s", setup_.config->queue.lifetime.count()));
}

// --- what lanes ask ---

Task<std::unique_ptr<send::Delivery>> Dispatcher::load(std::uint64_t id, std::uint32_t recipients) {
  std::unique_ptr<send::Delivery> delivery;
  Message* message = queue_.find({id});
  if (!message || message->state != queue::MessageState::ready) {
    under_way_.erase(id);
    co_return delivery;
  }
  if (is_expired(*message)) {  // in the line of a slow lane
    under_way_.erase(id);
    expire(*message);
    co_return delivery;
  }
  try {
    queue::Content content = co_await queue_.read(*message);
    message = queue_.find({id});
    delivery = make_delivery(*message, std::move(content), recipients);
  } catch (const queue::QueueError& error) {
    log_.error("queue_trouble", {{"id", queue::to_string(MessageId{id})}, {"reason", error.what()}});
    under_way_.erase(id);
  }
  co_return delivery;
}

std::unique_ptr<send::Delivery> Dispatcher::make_delivery(Message& message, queue::Content content,
                                                          std::uint32_t recipients) {
  const std::string& upstream = under_way_.at(message.id.value)->upstream;
  const auto next_attempt = [this, &message, attempts = message.attempts + 1U] {
    const Duration wait = std::min(loop_.now() + backoff(attempts), end_of_life(message)) - loop_.now();
    return loop_.wall_now() + std::chrono::duration_cast<WallTime::duration>(wait);
  };
  auto delivery = std::make_unique<QueueDelivery>(
      queue_, workers_, message, std::move(content),
      QueueDelivery::Terms{upstream, takes_doubtful(message, upstream), recipients, next_attempt});
  if (!delivery->recipients().empty()) return delivery;
  give_back(message.id.value);  // the route is another than when it came here
  return nullptr;
}

// It looks for another way at once.
void Dispatcher::give_back(std::uint64_t id) {
  under_way_.erase(id);
  if (Message* message = queue_.find({id}); message && message->state == queue::MessageState::ready)
    queue_.release(*message, loop_.now());
}

void Dispatcher::turned_down(std::uint64_t id) {
  const LaneEntry& entry = *under_way_.at(id);
  log_.warning("pipelining_reduced",
               {{"upstream", entry.upstream},
                {"account", entry.username},
                {"id", queue::to_string(MessageId{id})},
                {"reason",
                 "the server mishandles commands that ride behind the final dot; set 'pipelining: "
                 "transaction' to spare it the attempt"}});
}

void Dispatcher::settle(std::uint64_t id, const send::Delivery& delivery, const send::Report& report) {
  Message* message = queue_.find({id});
  LaneEntry& entry = *under_way_.at(id);
  under_way_.erase(id);
  if (!message) return;
  const route::Route route = setup_.router->route(message->routing_sender);
  const bool has_next = message->route_step + 1U < route.choices.size();
  const auto& own = static_cast<const QueueDelivery&>(delivery);  // load() makes no other
  Settlement settlement{*message, entry, own, report, has_next, false, {}, {}};
  settlement.worst.action = Action::delivered;
  settlement.outcome.when = loop_.wall_now();
  settlement.outcome.upstream = entry.upstream;
  settlement.outcome.username = entry.username;
  settlement.outcome.host = report.host;
  for (const send::RecipientEvent& recipient : report.recipients) judge(settlement, recipient);
  react(settlement);
}

// A message that came here because the upstreams that could take it are in trouble waits for them.
bool Dispatcher::another_may_take(const Settlement& settlement) const {
  const send::Delivery& delivery = settlement.delivery;
  const auto choices = setup_.router->route(settlement.message.routing_sender).choices;
  return std::any_of(choices.begin(), choices.end(), [&](const route::Choice& choice) {
    return choice.id != settlement.entry.id &&
           !lanes_.refusal({&choice, 1}, delivery.envelope(), delivery.size());
  });
}

// One recipient: what the event means for it, and whether it decides about the rest.
void Dispatcher::judge(Settlement& settlement, const send::RecipientEvent& entry) {
  const send::Event& event = entry.event;
  Verdict verdict = event.trouble ? settle::judge(event.stage, *event.trouble)
                                  : settle::judge(event.stage, event.reply, settlement.entry.provider);
  // Whatever is said now, an earlier attempt may have reached it.
  const bool was_doubtful = settlement.delivery.was_doubtful(entry.recipient);
  const bool moves_on =
      settle::moves_on(verdict, settlement.entry.retry_next_on) && settlement.has_next && !was_doubtful;
  if (verdict.unfit && !moves_on && !was_doubtful && another_may_take(settlement))
    verdict.action = Action::retry;
  const bool doubtful = verdict.in_doubt || was_doubtful;
  RecipientState state = doubtful ? RecipientState::doubtful : RecipientState::pending;
  if (verdict.action == Action::delivered)
    state = RecipientState::delivered;
  else if (verdict.action == Action::failed && !moves_on)
    state = RecipientState::failed;
  const bool suppressed = verdict.reply_class == ReplyClass::suppressed;
  settlement.outcome.recipients.push_back(
      {entry.recipient, state, static_cast<std::uint16_t>(event.trouble ? 0 : event.reply.code),
       (suppressed ? "taken, and will not be sent: " : "") + response_text(event)});
  if (state == RecipientState::delivered) settlement.delivered = true;
  settlement.in_doubt |= verdict.in_doubt;
  settlement.moves_on |= moves_on;
  settlement.leaves |= !event.trouble && verdict.scope == settle::Scope::connection;
  settlement.wait = std::max(settlement.wait, verdict.wait);
  const bool full = verdict.at_once || (!event.trouble && event.stage == smtp::Stage::rcpt &&
                                        settle::too_many_recipients(event.reply));
  if (full)
    settlement.at_once = true;
  else if (state != RecipientState::delivered &&
           (!settlement.event || stops_lane(verdict) || verdict.in_doubt)) {
    settlement.worst = verdict;
    settlement.event = &event;
  }
  log_recipient(settlement, entry, verdict, state);
}

// The upstream took the message or refused it for its own sake: the lane works again.
bool Dispatcher::shows_health(const Settlement& settlement) {
  const send::Event* event = settlement.event;
  return settlement.delivered || (event && !event->trouble && event->stage >= smtp::Stage::mail &&
                                  event->reply.code != 421 && !stops_lane(settlement.worst));
}

// One step for each port that failed, however many connections failed at it together. A port that lets us
// connect and then says nothing is as good as blocked.
bool Dispatcher::takes_next_port(Settlement& settlement) {
  if (!settlement.event || !settlement.event->trouble) return false;
  const send::Event& event = *settlement.event;
  const bool silent = event.stage == smtp::Stage::greeting && event.trouble == smtp::Trouble::broken;
  if (event.trouble != smtp::Trouble::unreachable && !silent) return false;
  LaneEntry& entry = settlement.entry;
  if (entry.endpoint < entry.ports.size() && entry.ports[entry.endpoint] == settlement.report.port) {
    ++entry.endpoint;
    if (entry.endpoint < entry.ports.size())
      log_.warning("next_port", {{"upstream", entry.upstream},
                                 {"account", entry.username},
                                 {"response", event.text},
                                 {"port", entry.ports[entry.endpoint]}});
  }
  if (entry.endpoint < entry.ports.size()) return true;
  entry.endpoint = 0;
  return false;
}

// The lane, the message, the next attempt.
void Dispatcher::react(Settlement& settlement) {
  Message& message = settlement.message;
  send::Lane& lane = *settlement.entry.lane;
  const bool stopped = settlement.event && stops_lane(settlement.worst);
  const bool next_port = takes_next_port(settlement);
  note_reply(settlement);
  if (settlement.leaves) lane.leave();
  if (stopped && !next_port) {
    stop_lane(settlement);
  } else if (lane.troubles() > 0 && shows_health(settlement)) {
    lane.resume();
    log_.info("lane_resumed",
              {{"upstream", settlement.entry.upstream}, {"account", settlement.entry.username}});
  }
  const bool told = settlement.wait.count() > 0;
  SteadyTime next = loop_.now() + (told ? settlement.wait : backoff(settlement.delivery.attempt()));
  const bool nobody_waits =
      std::none_of(settlement.outcome.recipients.begin(), settlement.outcome.recipients.end(),
                   [](const auto& entry) {
                     return entry.state == RecipientState::pending || entry.state == RecipientState::doubtful;
                   }) &&
      !settlement.delivery.leaves_doubtful();
  if (settlement.moves_on || next_port || nobody_waits || (settlement.at_once && settlement.delivered))
    next = loop_.now();
  else if (stopped)
    next = std::max(lane.closed_until(), loop_.now());
  const Duration wait = std::min(next, end_of_life(message)) - loop_.now();
  settlement.outcome.next_attempt =
      settlement.outcome.when + std::chrono::duration_cast<std::chrono::microseconds>(wait);
  const std::uint8_t step = message.route_step;
  const MessageId id = message.id;
  queue_.settle(message, settlement.outcome);
  Message* left = queue_.find(id);
  if (!left || left->pending == 0) return;
  if (settlement.moves_on)
    left->route_step = static_cast<std::uint8_t>(step + 1);
  else if (next_port)
    left->route_step = step;
  if (settlement.in_doubt)
    hold_doubtful(queue_, log_, setup_.config->queue.in_doubt, *left, settlement.delivery.leaves_doubtful());
}

// How long the lane waits, by what stopped it.
void Dispatcher::stop_lane(const Settlement& settlement) {
  LaneEntry& entry = settlement.entry;
  send::Lane& lane = *entry.lane;
  if (!lane.open()) return;  // another connection of this lane has said so already
  const ReplyClass what = settlement.worst.reply_class;
  if (what == ReplyClass::conn && lane.use_fewer_connections()) return;
  Duration wait = backoff(lane.troubles() + 1);
  if (what == ReplyClass::rate || what == ReplyClass::conn)
    wait = std::min(wait, jittered(short_pause) * (1 + lane.troubles()));
  if (what == ReplyClass::rate) lane.slow_down();
  if (what == ReplyClass::quota) wait = std::max(wait, jittered(quota_pause));
  if (settlement.worst.wait.count() > 0) wait = settlement.worst.wait;
  lane.pause(loop_.now() + wait);
  entry.pause_class = what;
  entry.pause_reason = response_text(*settlement.event);
  log_.warning("lane_paused", {{"upstream", entry.upstream},
                               {"account", entry.username},
                               {"host", settlement.report.host},
                               {"class", settle::to_string(what)},
                               {"code", settlement.event->trouble ? 0 : settlement.event->reply.code},
                               {"response", entry.pause_reason},
                               {"delay", std::chrono::duration<double>(wait).count()}});
}

// What the operator reads in `relayd status`.
void Dispatcher::note_reply(const Settlement& settlement) {
  const send::Event& event = settlement.event ? *settlement.event : settlement.report.recipients.back().event;
  settlement.entry.last_reply = event.trouble ? smtp::escape(event.text) : smtp::one_line(event.reply);
  settlement.entry.last_reply_at = loop_.wall_now();
  if (settlement.entry.lane->quota().limited()) quotas_.touch();
}

void Dispatcher::log_recipient(const Settlement& settlement, const send::RecipientEvent& entry,
                               const Verdict& verdict, RecipientState state) {
  const send::Event& event = entry.event;
  const Message& message = settlement.message;
  const mail::Envelope& envelope = settlement.delivery.envelope();
  const std::string& to = envelope.recipients[entry.recipient].address;
  const auto age = std::chrono::duration<double>(loop_.wall_now() - message.accepted);
  const std::string_view name = state == RecipientState::delivered ? "delivered"
                                : state == RecipientState::failed  ? "failed"
                                : verdict.in_doubt                 ? "in_doubt"
                                                                   : "deferred";
  const telemetry::Level level = state == RecipientState::delivered ? telemetry::Level::info
                                 : state == RecipientState::failed  ? telemetry::Level::error
                                                                    : telemetry::Level::warning;
  log_.write(level, name,
             {{"id", settlement.delivery.id()},
              {"from", envelope.sender.empty() ? "<>" : std::string_view(envelope.sender)},
              {"to", to},
              {"upstream", settlement.entry.upstream},
              {"host", settlement.report.host},
              {"account", settlement.entry.username},
              {"tls", settlement.report.tls},
              {"stage", smtp::to_string(event.stage)},
              {"code", event.trouble ? 0 : event.reply.code},
              {"enhanced",
               event.trouble || !event.reply.enhanced.given() ? "" : smtp::to_string(event.reply.enhanced)},
              {"response", response_text(event)},
              {"provider_id", event.stage == smtp::Stage::final_dot && event.reply.positive()
                                  ? settle::provider_id(event.reply, settlement.entry.provider)
                                  : ""},
              {"delay", age.count()},
              {"attempts", settlement.delivery.attempt()},
              {"class", settle::to_string(verdict.reply_class)}});
  if (!observer_) return;
  observer_({std::string(settlement.delivery.id()), envelope.sender, to,
             rule_text(setup_.router->route(message.routing_sender)), settlement.entry.upstream,
             settlement.entry.username, settlement.report.tls,
             event.trouble ? event.text : smtp::one_line(event.reply), state == RecipientState::delivered,
             std::chrono::duration_cast<Duration>(age)});
}

// --- the end ---

void Dispatcher::shut_down() {
  stopping_ = true;
  lanes_.for_each([](LaneEntry& entry) { entry.lane->shut_down(); });
}

void Dispatcher::abort() {
  lanes_.for_each([](LaneEntry& entry) { entry.lane->abort(); });
}

Task<void> Dispatcher::drained() {
  std::vector<send::Lane*> lanes;
  lanes_.for_each([&lanes](LaneEntry& entry) { lanes.push_back(entry.lane.get()); });
  for (send::Lane* lane : lanes) co_await lane->drained();
  co_await give_up_.drained();
  co_await quotas_.flush();
}

}  // namespace relayd
