// Doubt: what the relay does with a shipment that an upstream may already have taken.
//
// Beside the dispatcher, which asks who may have it; the settlement, which asks after a reply was lost; and
// the relay, which asks at its start. A shipment tried without end could reach its recipients each time, so
// after three doubts in a row it is held, and the operator, who can look at the upstream, decides.
#pragma once

#include <span>

#include "queue/queue.hpp"
#include "route/router.hpp"
#include "shared/config/config.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

// The lanes that may take the shipment. One that may already have been taken waits for the upstream that may
// have it; where the route does not lead there any more it goes where the route says.
std::span<const route::Choice> choices_for(const queue::Shipment& shipment,
                                           std::span<const route::Choice> choices);

// Holds what of a message waits in doubt where the configuration says so, or where it was in doubt too often;
// the log says why, and what can be done.
void hold_doubtful(queue::Queue& queue, telemetry::Log& log, config::Queue::InDoubt policy,
                   queue::Message& message);

}  // namespace relayd
