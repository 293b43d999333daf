#include "relay/give_up.hpp"

#include <algorithm>

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
  queue::Outcome outcome;
  outcome.when = loop_.wall_now();
  std::vector<mail::Recipient> failed;
  for (const std::uint32_t each : content.recipients) {
    outcome.recipients.push_back({each, RecipientState::failed, 0, reason});
    failed.push_back(content.envelope.recipients[each]);
  }
  const std::uint32_t attempts = shipment->attempts;
  queue_.settle(*shipment, std::move(outcome));
  publisher_.publish(
      tell::GivenUp{why, queue::to_string(id.message()), content.envelope.sender, failed, reason, attempts});
}

}  // namespace relayd
