#include "relay/doubt.hpp"

#include <cstddef>
#include <cstdint>

#include "tell/log.hpp"

namespace relayd {

namespace {
constexpr std::uint8_t most_doubts = 3;  // in a row, at one upstream
}

std::span<const route::Choice> choices_for(const queue::Shipment& shipment,
                                           std::span<const route::Choice> choices) {
  for (std::size_t i = 0; shipment.in_doubt() && i < choices.size(); ++i)
    if (choices[i].upstream->name == shipment.doubted) return choices.subspan(i, 1);
  return choices.subspan(shipment.route_step < choices.size() ? shipment.route_step : 0);
}

void hold_doubtful(queue::Queue& queue, telemetry::Log& log, config::Queue::InDoubt policy,
                   queue::Message& message) {
  message.for_each_shipment([&](queue::Shipment& shipment) {
    if (!shipment.in_doubt() || shipment.state != queue::MessageState::waiting) return;
    if (policy != config::Queue::InDoubt::hold && shipment.doubts < most_doubts) return;
    tell::held(log, tell::Doubt{queue::to_string(message.id()), message.routing_sender, shipment.doubted,
                                shipment.attempts, shipment.doubts});
    queue.hold(shipment);
  });
}

}  // namespace relayd
