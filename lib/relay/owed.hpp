// owed: whose end, by an outcome, is to be told: to the sender by a report, to receivers by webhooks.
//
// Asked when an outcome is recorded, so that the queue remembers both as one. Pure. Whether the header
// forbids a report is asked when it is written.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "queue/message.hpp"
#include "shared/config/config.hpp"

namespace relayd {

// `dsn`: the upstream had RFC 3461, so that it is the one to report what it has taken. `failure`: what those
// who failed are for webhooks. Recipients of `outcomes` are those of the message as it was accepted. Of a
// report of ours no report is owed; webhooks are told of it as of any mail.
queue::Debt owed(const config::Config& config, const mail::Envelope& accepted,
                 std::span<const queue::RecipientOutcome> outcomes, bool dsn,
                 config::WebhookEvent failure = config::WebhookEvent::failed);

}  // namespace relayd
