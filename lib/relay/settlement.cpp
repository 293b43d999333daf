#include "relay/settlement.hpp"

#include <algorithm>
#include <chrono>
#include <optional>
#include <span>
#include <utility>

#include "relay/doubt.hpp"
#include "relay/owed.hpp"
#include "relay/routing.hpp"
#include "settle/provider_id.hpp"

namespace relayd {

using queue::RecipientState;
using queue::Shipment;

namespace {

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

// Which recipient tells of the whole attempt.
std::size_t leader_of(const settle::Decision& decision) {
  const auto found =
      std::ranges::find(decision.recipients, RecipientState::delivered,
                        [](const settle::RecipientDecision& one) { return one.outcome.state; });
  return found == decision.recipients.end() ? 0
                                            : static_cast<std::size_t>(found - decision.recipients.begin());
}

}  // namespace

// One that is over, and what its report is judged by.
struct Settlement::Attempt {
  Shipment& shipment;
  LaneEntry& lane;
  const QueueDelivery& delivery;
  const send::Report& report;
  route::Route route;  // by the present configuration
};

void Settlement::settle(LaneEntry& lane, queue::ShipmentId id, const QueueDelivery& delivery,
                        const send::Report& report) {
  Shipment* const shipment = queue_.find(id);
  if (!shipment) return;
  const queue::Message& message = *shipment->message;
  const Attempt attempt{*shipment, lane, delivery, report,
                        route_of(delivery, report.recipients.front().recipient)};
  const WallTime accepted = message.accepted, now = loop_.wall_now();
  settle::Decision decision = decide(attempt);
  const std::vector<send::RecipientEvent> others = add_united(attempt, decision);
  record(attempt, decision, now);
  // The shipment may be gone from here on, and its message, too.
  const std::size_t leader = leader_of(decision);
  std::size_t next = 0;
  for (const std::vector<send::RecipientEvent>* const events : {&report.recipients, &others})
    for (const send::RecipientEvent& event : *events) {
      const Place place{now, now - accepted, next == leader};
      tell(attempt, event, decision.recipients[next++], place);
    }
  treat(attempt, decision);
  if (queue::Message* const left = queue_.find(id.message()); decision.in_doubt && left)
    hold_doubtful(queue_, log_, setup_.config->queue.in_doubt, *left);
}

route::Route Settlement::route_of(const QueueDelivery& delivery, std::uint32_t recipient) const {
  const Routed message(delivery.accepted(), delivery.message().value, &delivery.header_values());
  return setup_.router->route(message.to(delivery.accepted().recipients[recipient].address));
}

// What befell a recipient befell those who left as the same address. Puts them behind the others of the
// decision, and gives the event of each.
std::vector<send::RecipientEvent> Settlement::add_united(const Attempt& attempt, settle::Decision& decision) {
  std::vector<send::RecipientEvent> added;
  for (const auto& [recipient, other] : attempt.delivery.united()) {
    const auto offered =
        std::ranges::find(attempt.report.recipients, other, &send::RecipientEvent::recipient);
    if (offered == attempt.report.recipients.end()) continue;
    settle::RecipientDecision same =
        decision.recipients[static_cast<std::size_t>(offered - attempt.report.recipients.begin())];
    same.outcome.recipient = recipient;
    decision.recipients.push_back(std::move(same));
    added.push_back({recipient, offered->event});
  }
  return added;
}

settle::Decision Settlement::decide(const Attempt& attempt) const {
  const LaneEntry& lane = attempt.lane;
  const QueueDelivery& delivery = attempt.delivery;
  const send::Report& report = attempt.report;
  const std::span<const route::Choice> choices = attempt.route.choices;
  const std::optional<std::size_t> step = step_of(lane, choices);
  const bool unfit = std::ranges::any_of(
      report.recipients, [](const send::RecipientEvent& entry) { return settle::is_unfit(entry.event); });
  return settle::decide(report.recipients, {.provider = lane.provider,
                                            .retry_next_on = lane.retry_next_on,
                                            .doubted_here = delivery.doubted_here(),
                                            .has_next = step && *step + 1 < choices.size(),
                                            .has_next_port = health_.has_next_port(lane, report),
                                            .another_may_take = unfit && another_may_take(attempt),
                                            .carried = report.carried,
                                            .backoff = health_.backoff(delivery.attempt())});
}

bool Settlement::another_may_take(const Attempt& attempt) const {
  const send::Delivery& delivery = attempt.delivery;
  return std::ranges::any_of(attempt.route.choices, [&](const route::Choice& choice) {
    return choice.id != attempt.lane.id &&
           !lanes_.refusal({&choice, 1}, delivery.envelope(), delivery.size());
  });
}

// In the queue.
void Settlement::record(const Attempt& attempt, settle::Decision& decision, WallTime now) {
  const LaneEntry& lane = attempt.lane;
  queue::Outcome outcome;
  outcome.when = now;
  outcome.upstream = lane.upstream;
  outcome.username = lane.username;
  outcome.host = attempt.report.host;
  outcome.recipients.reserve(decision.recipients.size());
  for (settle::RecipientDecision& recipient : decision.recipients)
    outcome.recipients.push_back(std::move(recipient.outcome));
  const Duration wait = lifetime_.at_most(*attempt.shipment.message, decision.wait);
  outcome.next_attempt = outcome.when + std::chrono::duration_cast<std::chrono::microseconds>(wait);
  std::uint8_t step = 0;
  if (decision.comeback == settle::Comeback::next_upstream)
    step = static_cast<std::uint8_t>(*step_of(lane, attempt.route.choices) + 1);
  const queue::Debt owed =
      relayd::owed(*setup_.config, attempt.delivery.accepted(), outcome.recipients, attempt.report.dsn);
  queue_.settle(attempt.shipment, std::move(outcome), step, owed);
}

void Settlement::tell(const Attempt& attempt, const send::RecipientEvent& entry,
                      const settle::RecipientDecision& recipient, Place place) {
  const send::Event& event = entry.event;
  const LaneEntry& lane = attempt.lane;
  const mail::Envelope& accepted = attempt.delivery.accepted();
  const mail::Envelope& sent = attempt.delivery.envelope();
  const bool names_it = event.stage == smtp::Stage::final_dot && event.reply.positive();
  const std::string provider_id = names_it ? settle::provider_id(event.reply, lane.provider) : std::string();
  const config::SenderRule* const rule = route_of(attempt.delivery, entry.recipient).rule;
  publisher_.publish(tell::Outcome{
      .fate = fate_of(recipient),
      .id = attempt.delivery.id(),
      .when = place.when,
      .recipient = entry.recipient,
      .from = accepted.sender,
      .to = accepted.recipients[entry.recipient].address,
      .sent_from = sent.sender,
      .sent_to = sent.recipients[entry.recipient].address,
      .rule = rule ? std::string_view(rule->match) : std::string_view(),
      .upstream = lane.upstream,
      .host = attempt.report.host,
      .account = lane.username,
      .tls = attempt.report.tls,
      .event = event,
      .reply_class = settle::to_string(recipient.reply_class),
      .provider_id = provider_id,
      .attempt = attempt.delivery.attempt(),
      .age = place.age,
      .took = loop_.now() - attempt.delivery.began(),
      .size = attempt.delivery.size(),
      .first = place.leads,
  });
}

// The connection may have had its share with this message; the next one has found another.
void Settlement::hear_farewell(LaneEntry& lane, const send::Report& report) {
  const smtp::Carried carried{report.carried.messages + 1,
                              report.carried.recipients + report.recipients.size()};
  const smtp::RecipientEvent next{0, *report.farewell};
  if (const auto cap = settle::find_cap({&next, 1}, lane.provider, carried))
    health_.learn(lane, *cap, *report.farewell);
}

void Settlement::treat(const Attempt& attempt, const settle::Decision& decision) {
  LaneEntry& lane = attempt.lane;
  const send::Report& report = attempt.report;
  // What the operator reads in `relayd status`.
  lane.last_reply = smtp::one_line(decision.event ? *decision.event : report.recipients.back().event);
  lane.last_reply_at = loop_.wall_now();
  if (lane.quota().counts()) quotas_.touch();
  if (decision.leaves) lane.leave();
  if (decision.too_many_is_no_cap) lane.site.forget(smtp::Cap::recipients_per_message);
  if (decision.cap) health_.learn(lane, *decision.cap, report.recipients.back().event);
  if (report.farewell) hear_farewell(lane, report);
  if (decision.lane == settle::LaneAction::works) return health_.works(lane);
  if (!decision.event) return;
  const Trouble trouble{*decision.event, decision.verdict, report};
  // Where no port is left it begins with the first again.
  health_.takes_next_port(lane, trouble);
  if (decision.lane == settle::LaneAction::stops) health_.stop(lane, trouble);
  if (decision.lane == settle::LaneAction::ended) health_.ended(lane, trouble);
}

}  // namespace relayd
