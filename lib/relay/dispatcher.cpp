#include "relay/dispatcher.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "queue/schedule.hpp"
#include "relay/doubt.hpp"
#include "relay/queue_delivery.hpp"
#include "settle/decision.hpp"
#include "settle/provider_id.hpp"
#include "tell/log.hpp"

namespace relayd {

using async::Task;
using queue::Message;
using queue::MessageId;
using queue::RecipientState;

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

tell::Fate fate_of(const settle::RecipientDecision& recipient) {
  const RecipientState state = recipient.outcome.state;
  if (state == RecipientState::delivered) return tell::Fate::delivered;
  if (state == RecipientState::failed) return tell::Fate::failed;
  return recipient.in_doubt ? tell::Fate::in_doubt : tell::Fate::deferred;
}

}  // namespace

// One report that is being settled.
struct Dispatcher::Settlement {
  Message& message;
  LaneEntry& entry;
  const QueueDelivery& delivery;
  const send::Report& report;
  route::Route route;  // by the present configuration
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
  const auto& own = static_cast<const QueueDelivery&>(delivery);  // load() makes no other
  const Settlement settlement{*message, entry_of(lane), own, report,
                              setup_.router->route(message->routing_sender)};
  const WallTime accepted = message->accepted;
  settle::Decision decision = decide(settlement);
  record(settlement, decision);
  // The message may be gone from here on.
  for (std::size_t i = 0; i < report.recipients.size(); ++i)
    tell_of(settlement, report.recipients[i], decision.recipients[i], loop_.wall_now() - accepted);
  treat_lane(settlement, decision);
  if (Message* const left = queue_.find({id}); decision.in_doubt && left && left->pending > 0)
    hold_doubtful(queue_, log_, setup_.config->queue.in_doubt, *left, own.leaves_doubtful());
}

settle::Decision Dispatcher::decide(const Settlement& settlement) const {
  const LaneEntry& lane = settlement.entry;
  const QueueDelivery& delivery = settlement.delivery;
  const send::Report& report = settlement.report;
  const std::span<const route::Choice> choices = settlement.route.choices;
  const std::optional<std::size_t> step = step_of(lane, choices);
  const bool unfit = std::ranges::any_of(
      report.recipients, [](const send::RecipientEvent& entry) { return settle::is_unfit(entry.event); });
  return settle::decide(report.recipients, {.provider = lane.provider,
                                            .retry_next_on = lane.retry_next_on,
                                            .before = delivery.states(),
                                            .doubted_here = delivery.doubted_here(),
                                            .leaves_doubtful = delivery.leaves_doubtful(),
                                            .has_next = step && *step + 1 < choices.size(),
                                            .has_next_port = health_.has_next_port(lane, report),
                                            .another_may_take = unfit && another_may_take(settlement),
                                            .backoff = health_.backoff(delivery.attempt())});
}

bool Dispatcher::another_may_take(const Settlement& settlement) const {
  const send::Delivery& delivery = settlement.delivery;
  return std::ranges::any_of(settlement.route.choices, [&](const route::Choice& choice) {
    return choice.id != settlement.entry.id &&
           !lanes_.refusal({&choice, 1}, delivery.envelope(), delivery.size());
  });
}

// In the queue.
void Dispatcher::record(const Settlement& settlement, settle::Decision& decision) {
  Message& message = settlement.message;
  const LaneEntry& lane = settlement.entry;
  queue::Outcome outcome;
  outcome.when = loop_.wall_now();
  outcome.upstream = lane.upstream;
  outcome.username = lane.username;
  outcome.host = settlement.report.host;
  outcome.recipients.reserve(decision.recipients.size());
  for (settle::RecipientDecision& recipient : decision.recipients)
    outcome.recipients.push_back(std::move(recipient.outcome));
  const Duration wait = std::min(loop_.now() + decision.wait, end_of_life(message)) - loop_.now();
  outcome.next_attempt = outcome.when + std::chrono::duration_cast<std::chrono::microseconds>(wait);
  const MessageId id = message.id;
  queue_.settle(message, outcome);
  Message* const left = queue_.find(id);
  if (!left || left->pending == 0 || decision.comeback != settle::Comeback::next_upstream) return;
  left->route_step = static_cast<std::uint8_t>(*step_of(lane, settlement.route.choices) + 1);
}

void Dispatcher::tell_of(const Settlement& settlement, const send::RecipientEvent& entry,
                         const settle::RecipientDecision& recipient, Duration age) {
  const send::Event& event = entry.event;
  const LaneEntry& lane = settlement.entry;
  const mail::Envelope& envelope = settlement.delivery.envelope();
  const bool names_it = event.stage == smtp::Stage::final_dot && event.reply.positive();
  const std::string provider_id = names_it ? settle::provider_id(event.reply, lane.provider) : std::string();
  const config::SenderRule* const rule = settlement.route.rule;
  const tell::Outcome outcome{
      .fate = fate_of(recipient),
      .id = settlement.delivery.id(),
      .from = envelope.sender,
      .to = envelope.recipients[entry.recipient].address,
      .rule = rule ? std::string_view(rule->match) : std::string_view(),
      .upstream = lane.upstream,
      .host = settlement.report.host,
      .account = lane.username,
      .tls = settlement.report.tls,
      .event = event,
      .reply_class = settle::to_string(recipient.reply_class),
      .provider_id = provider_id,
      .attempt = settlement.delivery.attempt(),
      .age = age,
  };
  tell::attempted(log_, outcome);
  if (observer_) observer_(outcome);
}

void Dispatcher::treat_lane(const Settlement& settlement, const settle::Decision& decision) {
  LaneEntry& lane = settlement.entry;
  const send::Report& report = settlement.report;
  // What the operator reads in `relayd status`.
  lane.last_reply = smtp::one_line(decision.event ? *decision.event : report.recipients.back().event);
  lane.last_reply_at = loop_.wall_now();
  if (lane.quota().limited()) quotas_.touch();
  if (decision.leaves) lane.leave();
  if (decision.lane == settle::LaneAction::works) return health_.works(lane);
  if (!decision.event) return;
  const Trouble trouble{*decision.event, decision.verdict, report};
  // Where no port is left it begins with the first again.
  health_.takes_next_port(lane, trouble);
  if (decision.lane == settle::LaneAction::stops) health_.stop(lane, trouble);
  if (decision.lane == settle::LaneAction::ended) health_.ended(lane, trouble);
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
