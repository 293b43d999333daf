// Doubt: what the relay does with a message that an upstream may already have taken.
//
// Beside the dispatcher, which asks who may have it; the settlement, which asks after a reply was lost; and
// the relay, which asks at its start. A message tried without end could reach its recipients each time, so
// after three doubts in a row it is held, and the operator, who can look at the upstream, decides.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "queue/queue.hpp"
#include "route/router.hpp"
#include "shared/config/config.hpp"
#include "shared/telemetry/log.hpp"

namespace relayd {

// The step of the route at which the message may have been taken. Nothing: it is not in doubt, or the route
// does not lead there any more, so that it goes where the route says.
std::optional<std::size_t> doubted_step(const queue::Message& message,
                                        std::span<const route::Choice> choices);

// The lanes that may take the message. One that may already have been taken waits for the upstream that may
// have it. If that is out of the question for some of its recipients, they go on without the others.
std::span<const route::Choice> choices_for(const queue::Message& message,
                                           std::span<const route::Choice> choices);

// Whether that upstream may have those recipients that one may have reached already: it is the one, or the
// one is out of reach for good.
bool takes_doubtful(const queue::Message& message, std::string_view upstream,
                    std::span<const route::Choice> choices);

// Holds a message in doubt where the configuration says so, or where it was in doubt too often; the log says
// why, and what can be done. `elsewhere`: it may have been taken by another upstream, too.
void hold_doubtful(queue::Queue& queue, telemetry::Log& log, config::Queue::InDoubt policy,
                   queue::Message& message, bool elsewhere = false);

}  // namespace relayd
