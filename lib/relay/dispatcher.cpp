#include "relay/dispatcher.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "queue/schedule.hpp"
#include "relay/doubt.hpp"
#include "relay/queue_delivery.hpp"
#include "settle/provider_id.hpp"
#include "tell/log.hpp"

namespace relayd {

using async::Task;
using queue::Message;
using queue::MessageId;
using queue::RecipientState;
using settle::Action;
using settle::ReplyClass;
using settle::Verdict;

namespace {

// A wall clock that differs by more was set.
constexpr auto clock_drift = std::chrono::minutes(1);
// No clock that is right says an earlier time.
constexpr WallTime first_believable = std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);

LaneEntry& entry_of(send::Lane& lane) {
  return static_cast<LaneEntry&>(lane);  // Lanes makes no other
}

const LaneEntry& entry_of(const send::Lane& lane) {
  return static_cast<const LaneEntry&>(lane);
}

// Which step of the route the lane is; nothing: none, since a reload.
std::optional<std::size_t> step_of(const LaneEntry& lane, std::span<const route::Choice> choices) {
  for (std::size_t i = 0; i < choices.size(); ++i)
    if (choices[i].id == lane.id) return i;
  return std::nullopt;
}

tell::Fate fate_of(RecipientState state, const Verdict& verdict) {
  if (state == RecipientState::delivered) return tell::Fate::delivered;
  if (state == RecipientState::failed) return tell::Fate::failed;
  return verdict.in_doubt ? tell::Fate::in_doubt : tell::Fate::deferred;
}

}  // namespace

// What is known while one report is settled.
struct Dispatcher::Settlement {
  Message& message;
  LaneEntry& entry;
  const QueueDelivery& delivery;
  const send::Report& report;
  std::string_view rule = {};  // that routed it; empty: none does any more
  std::size_t step = 0;        // of the route
  bool has_next = false;       // the route has another upstream behind this one
  bool in_doubt = false;       // the upstream may have taken it, and nothing was heard
  queue::Outcome outcome = {};
  // What decides about the lane and the next attempt: the last that was not plain success.
  Verdict worst = {};
  const send::Event* event = nullptr;  // its event
  bool delivered = false;
  bool moves_on = false;
  bool next_port = false;
  bool stopped = false;  // the lane, for the time being
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
      health_(loop, log),
      lanes_(loop, workers, log, dialer, quotas_, *this),
      lines_(loop, queue, lanes_,
             [this](const Message& message, const LaneEntry& lane) { return share_of(message, lane); }) {
  health_.use(setup_.config);
  lanes_.use(setup_.router);
}

void Dispatcher::use(const Setup& setup) {
  setup_ = setup;
  health_.use(setup_.config);
  lanes_.use(setup_.router);
  lines_.renew();
}

// When a message is given up; it must come up then, whatever it waits for.
SteadyTime Dispatcher::end_of_life(const Message& message) const {
  const WallTime from = clock_was_wrong(message) ? loop_.wall_now() : message.lives_from;
  const WallTime end = from + setup_.config->queue.lifetime;
  return loop_.now() + std::max<Duration>(end - loop_.wall_now(), Duration::zero());
}

// --- from the queue to a lane ---

// The lanes that may take the message. One that may already have been taken waits for the upstream that may
// have it. If that is out of the question for some of its recipients, they go on without the others.
std::span<const route::Choice> Dispatcher::choices_for(const Message& message,
                                                       std::span<const route::Choice> choices) const {
  const std::optional<std::size_t> doubted = doubted_step(message, choices);
  if (doubted && message.doubtful == message.pending) return choices.subspan(*doubted, 1);
  return choices.subspan(message.route_step < choices.size() ? message.route_step : 0);
}

void Dispatcher::dispatch(Message& message) {
  if (stopping_) return queue_.release(message, loop_.now() + health_.backoff(1));
  if (is_expired(message)) return expire(message);
  const route::Route route = setup_.router->route(message.routing_sender);
  if (!route.reject.empty()) return give_up_.take(message, tell::rejected, std::string(route.reject));
  if (route.choices.empty()) return defer_unroutable(message);
  watch_clock();
  lines_.put(message, choices_for(message, route.choices), end_of_life(message));
}

// Lifetimes are times of the wall clock. When that is set, all that waits in a line is looked at again.
void Dispatcher::watch_clock() {
  const auto steady = std::chrono::duration_cast<WallTime::duration>(loop_.now().time_since_epoch());
  const WallTime::duration offset = loop_.wall_now().time_since_epoch() - steady;
  const bool was_set = clock_offset_ && std::chrono::abs(offset - *clock_offset_) > clock_drift;
  if (!clock_offset_ || was_set) clock_offset_ = offset;
  if (was_set) lines_.renew();
}

std::uint32_t Dispatcher::share_of(const Message& message, const LaneEntry& lane) const {
  return message.pending - (takes_doubtful(message, lane.upstream) ? 0 : message.doubtful);
}

// Whether that upstream may have those recipients that one may have reached already: it is the one, or the
// one is out of reach for good.
bool Dispatcher::takes_doubtful(const Message& message, std::string_view upstream) const {
  return message.doubted == upstream ||
         !doubted_step(message, setup_.router->route(message.routing_sender).choices);
}

void Dispatcher::clear_way(const Message& message) {
  for (const route::Choice& choice : setup_.router->route(message.routing_sender).choices) {
    LaneEntry& lane = lanes_.lane_for(choice);
    lane.site.probe();
    lane.probe();
  }
}

std::vector<std::string> Dispatcher::steer(const std::string& upstream, const std::string& account,
                                           bool stops) {
  std::set<LaneEntry*> lanes;
  for (const std::vector<route::Choice>& choices : setup_.router->choices())
    for (const route::Choice& choice : choices)
      if (choice.upstream->name == upstream && (account.empty() || choice.username == account))
        lanes.insert(&lanes_.lane_for(choice));
  std::vector<std::string> accounts;
  for (LaneEntry* const lane : lanes) {
    if (!stops) lane->site.probe();
    stops ? lane->stop() : lane->go_on();
    accounts.push_back(lane->username);
    stops ? tell::lane_stopped(log_, {upstream, lane->username})
          : tell::lane_released(log_, {upstream, lane->username});
  }
  std::ranges::sort(accounts);
  return accounts;
}

void Dispatcher::defer_unroutable(Message& message) {
  queue::Outcome outcome;
  outcome.when = loop_.wall_now();
  outcome.next_attempt = outcome.when + std::chrono::duration_cast<std::chrono::microseconds>(
                                            health_.backoff(message.attempts + 1U));
  tell::unroutable(log_, queue::to_string(message.id), message.routing_sender);
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
  give_up_.take(message, tell::expired,
                fmt::format("not delivered within {} s", setup_.config->queue.lifetime.count()));
}

// --- what lanes ask ---

bool Dispatcher::waits(const send::Lane& lane) {
  return lines_.waits(entry_of(lane));
}

std::optional<send::Ticket> Dispatcher::next(send::Lane& lane, std::uint64_t most) {
  return lines_.next(entry_of(lane), most);
}

void Dispatcher::changed(send::Lane& lane) {
  lines_.changed(entry_of(lane));
}

bool Dispatcher::misses(const send::Lane& lane) {
  return lines_.misses(entry_of(lane));
}

void Dispatcher::knocked(send::Lane& lane, const send::Report& report,
                         const std::optional<send::Event>& failed) {
  watch_clock();
  health_.knocked(entry_of(lane), report, failed);
}

Task<std::unique_ptr<send::Delivery>> Dispatcher::load(send::Lane& lane, send::Ticket ticket) {
  std::unique_ptr<send::Delivery> delivery;
  Message* message = queue_.find({ticket.message});
  if (!message || message->state != queue::MessageState::ready) co_return delivery;
  if (is_expired(*message)) {  // in the line of a slow lane
    expire(*message);
    co_return delivery;
  }
  try {
    queue::Content content = co_await queue_.read(*message);
    message = queue_.find({ticket.message});
    delivery = make_delivery(entry_of(lane), *message, std::move(content), ticket.recipients);
  } catch (const queue::QueueError& error) {
    tell::unreadable(log_, queue::to_string(MessageId{ticket.message}), error.what());
  }
  co_return delivery;
}

std::unique_ptr<send::Delivery> Dispatcher::make_delivery(const LaneEntry& lane, Message& message,
                                                          queue::Content content, std::uint32_t recipients) {
  const auto next_attempt = [this, &message, attempts = message.attempts + 1U] {
    const Duration wait =
        std::min(loop_.now() + health_.backoff(attempts), end_of_life(message)) - loop_.now();
    return loop_.wall_now() + std::chrono::duration_cast<WallTime::duration>(wait);
  };
  auto delivery = std::make_unique<QueueDelivery>(
      queue_, workers_, message, std::move(content),
      QueueDelivery::Terms{lane.upstream, takes_doubtful(message, lane.upstream), recipients, next_attempt});
  if (!delivery->recipients().empty()) return delivery;
  give_back(message.id.value);  // the route is another than when it was taken
  return nullptr;
}

// It looks for another way at once.
void Dispatcher::give_back(std::uint64_t id) {
  if (Message* message = queue_.find({id}); message && message->state == queue::MessageState::ready)
    queue_.release(*message, loop_.now());
}

void Dispatcher::turned_down(send::Lane& lane, std::uint64_t id) {
  const LaneEntry& entry = entry_of(lane);
  tell::pipelining_reduced(log_, {entry.upstream, entry.username}, queue::to_string(MessageId{id}));
}

void Dispatcher::settle(send::Lane& lane, std::uint64_t id, const send::Delivery& delivery,
                        const send::Report& report) {
  Message* message = queue_.find({id});
  if (!message) return;
  LaneEntry& entry = entry_of(lane);
  const route::Route route = setup_.router->route(message->routing_sender);
  const std::optional<std::size_t> step = step_of(entry, route.choices);
  const auto& own = static_cast<const QueueDelivery&>(delivery);  // load() makes no other
  Settlement settlement{.message = *message, .entry = entry, .delivery = own, .report = report};
  if (route.rule) settlement.rule = route.rule->match;
  settlement.step = step.value_or(0);
  settlement.has_next = step && *step + 1 < route.choices.size();
  settlement.worst.action = Action::delivered;
  settlement.outcome.when = loop_.wall_now();
  settlement.outcome.upstream = entry.upstream;
  settlement.outcome.username = entry.username;
  settlement.outcome.host = report.host;
  for (const send::RecipientEvent& recipient : report.recipients) judge(settlement, recipient);
  treat_lane(settlement);
  settle(settlement);
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
       (suppressed ? "taken, and will not be sent: " : "") + smtp::enhanced_text(event)});
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
  tell_of(settlement, entry, verdict, state);
}

// What the answer says of the lane.
void Dispatcher::treat_lane(Settlement& settlement) {
  LaneEntry& lane = settlement.entry;
  note_reply(settlement);
  if (settlement.leaves) lane.leave();
  if (!settlement.event) return health_.works(lane);
  const send::Event& event = *settlement.event;
  const Trouble trouble{event, settlement.worst, settlement.report};
  settlement.next_port = health_.takes_next_port(lane, trouble);
  if (settlement.next_port) return;
  settlement.stopped = stops_lane(settlement.worst);
  // Somebody else's message went through: nothing is wrong with the way there.
  const bool ours = event.trouble == smtp::Trouble::cancelled;
  const bool ended = event.trouble ? event.stage >= smtp::Stage::mail && !ours : event.reply.code == 421;
  if (settlement.stopped)
    health_.stop(lane, trouble);
  else if (settlement.delivered || (!event.trouble && !ended && event.stage >= smtp::Stage::mail))
    health_.works(lane);
  else if (ended)
    health_.ended(lane, trouble);
}

// The message and its next attempt.
void Dispatcher::settle(Settlement& settlement) {
  Message& message = settlement.message;
  const auto waits = [](const queue::RecipientOutcome& recipient) {
    return recipient.state == RecipientState::pending || recipient.state == RecipientState::doubtful;
  };
  const bool nobody_waits =
      std::ranges::none_of(settlement.outcome.recipients, waits) && !settlement.delivery.leaves_doubtful();
  // What a lane's trouble has stopped is due as before: its line knows when a lane is there for it.
  const bool now = settlement.moves_on || settlement.next_port || nobody_waits ||
                   (settlement.at_once && settlement.delivered) ||
                   (settlement.stopped && !settlement.in_doubt);
  const bool told = settlement.wait.count() > 0;
  const Duration usual = told ? Duration(settlement.wait) : health_.backoff(settlement.delivery.attempt());
  const SteadyTime next = loop_.now() + (now ? Duration::zero() : usual);
  const Duration wait = std::min(next, end_of_life(message)) - loop_.now();
  settlement.outcome.next_attempt =
      settlement.outcome.when + std::chrono::duration_cast<std::chrono::microseconds>(wait);
  const MessageId id = message.id;
  queue_.settle(message, settlement.outcome);
  Message* left = queue_.find(id);
  if (!left || left->pending == 0) return;
  // Past a lane in trouble it finds its way by itself, and back.
  if (settlement.moves_on && !settlement.stopped && !settlement.next_port)
    left->route_step = static_cast<std::uint8_t>(settlement.step + 1);
  if (settlement.in_doubt)
    hold_doubtful(queue_, log_, setup_.config->queue.in_doubt, *left, settlement.delivery.leaves_doubtful());
}

// What the operator reads in `relayd status`.
void Dispatcher::note_reply(const Settlement& settlement) {
  const send::Event& event = settlement.event ? *settlement.event : settlement.report.recipients.back().event;
  settlement.entry.last_reply = smtp::one_line(event);
  settlement.entry.last_reply_at = loop_.wall_now();
  if (settlement.entry.quota().limited()) quotas_.touch();
}

void Dispatcher::tell_of(const Settlement& settlement, const send::RecipientEvent& entry,
                         const Verdict& verdict, RecipientState state) {
  const send::Event& event = entry.event;
  const mail::Envelope& envelope = settlement.delivery.envelope();
  const bool names_it = event.stage == smtp::Stage::final_dot && event.reply.positive();
  const std::string provider_id =
      names_it ? settle::provider_id(event.reply, settlement.entry.provider) : std::string();
  const tell::Outcome outcome{
      .fate = fate_of(state, verdict),
      .id = settlement.delivery.id(),
      .from = envelope.sender,
      .to = envelope.recipients[entry.recipient].address,
      .rule = settlement.rule,
      .upstream = settlement.entry.upstream,
      .host = settlement.report.host,
      .account = settlement.entry.username,
      .tls = settlement.report.tls,
      .event = event,
      .reply_class = settle::to_string(verdict.reply_class),
      .provider_id = provider_id,
      .attempt = settlement.delivery.attempt(),
      .age = loop_.wall_now() - settlement.message.accepted,
  };
  tell::attempted(log_, outcome);
  if (observer_) observer_(outcome);
}

// --- the end ---

void Dispatcher::shut_down() {
  stopping_ = true;
  lanes_.for_each([](LaneEntry& entry) { entry.shut_down(); });
}

void Dispatcher::abort() {
  lanes_.for_each([](LaneEntry& entry) { entry.abort(); });
}

Task<void> Dispatcher::drained() {
  std::vector<send::Lane*> lanes;
  lanes_.for_each([&lanes](LaneEntry& entry) { lanes.push_back(&entry); });
  for (send::Lane* lane : lanes) co_await lane->drained();
  co_await give_up_.drained();
  co_await quotas_.flush();
}

}  // namespace relayd
