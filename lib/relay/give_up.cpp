#include "relay/give_up.hpp"

#include <algorithm>

#include "relay/owed.hpp"
#include "tell/log.hpp"

namespace relayd {

using async::Task;
using queue::RecipientState;
using queue::Shipment;
using queue::ShipmentId;

namespace {

constexpr std::size_t at_once = 32;
// About what one takes. Those that come too early all the same wait once more, behind the others.
constexpr auto spacing = std::chrono::microseconds(250);

}  // namespace

void GiveUp::take(Shipment& shipment, tell::Ending why, const std::string& reason) {
  if (scope_.count() < at_once) return scope_.spawn(fail_all(shipment.id, why, reason));
  last_turn_ = std::max(last_turn_, loop_.now()) + spacing;
  queue_.release(shipment, last_turn_);
}

// Who is still to be reached is in the message's envelope, on disk.
Task<void> GiveUp::fail_all(ShipmentId id, tell::Ending why, std::string reason) {
  co_await async::sleep_until(loop_, loop_.now());  // a turn of the loop for each: many come in one
  Shipment* shipment = queue_.find(id);
  queue::Content content;
  if (!shipment) co_return;
  try {
    content = co_await queue_.read(*shipment);
  } catch (const queue::QueueError& error) {
    tell::unreadable(log_, queue::to_string(id.message()), error.what());
    co_return;
  }
  shipment = queue_.find(id);
  if (!shipment) co_return;  // deleted meanwhile
  fail(*shipment, content.envelope, content.recipients, why, reason);
}

void GiveUp::fail(Shipment& shipment, const mail::Envelope& envelope,
                  const std::vector<std::uint32_t>& recipients, tell::Ending why, const std::string& reason) {
  queue::Outcome outcome;
  outcome.when = loop_.wall_now();
  std::vector<mail::Recipient> failed;
  for (const std::uint32_t each : recipients) {
    outcome.recipients.push_back({each, RecipientState::failed, 0, reason});
    failed.push_back(envelope.recipients[each]);
  }
  const std::string id = queue::to_string(shipment.id.message());
  const std::uint32_t attempts = shipment.attempts;
  const WallTime when = outcome.when;
  const auto failure =
      why == tell::Ending::expired ? config::WebhookEvent::expired : config::WebhookEvent::failed;
  const queue::Debt owed = relayd::owed(*setup_.config, envelope, outcome.recipients, false, failure);
  queue_.settle(shipment, std::move(outcome), 0, owed);
  publisher_.publish(tell::GivenUp{why, id, when, envelope.sender, failed, recipients, reason, attempts});
}

Task<std::string> GiveUp::delete_all(queue::MessageId id) {
  queue::Message* message = queue_.find(id);
  if (!message) co_return "no such message";
  const queue::Content content = co_await queue_.look(*message);
  message = queue_.find(id);
  if (!message) co_return "no such message";
  if (setup_.config->bounce.from.empty()) co_return "nobody would be told: `bounce.from` is not set";
  if (message->state == queue::MessageState::ready) co_return "it is being sent: hold it, and delete it then";
  if (message->in_doubt())
    co_return "an upstream may have it already, so nobody can be told that it failed: delete it without --bounce";
  std::vector<std::uint32_t> left;
  for (std::uint32_t i = 0; i < content.states.size(); ++i)
    if (queue::is_unsent(content.states[i])) left.push_back(i);
  Shipment* any = nullptr;
  message->for_each_shipment([&any](Shipment& shipment) { any = &shipment; });
  if (!left.empty()) fail(*any, content.envelope, left, tell::Ending::deleted, "deleted by the operator");
  co_return "";
}

}  // namespace relayd
