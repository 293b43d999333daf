#include "relay/owed.hpp"

#include <algorithm>

#include "tell/obligation.hpp"

namespace relayd {

using queue::RecipientOutcome;
using queue::RecipientState;
using tell::Reported;

namespace {

std::vector<std::uint32_t> owed_reports(const mail::Envelope& accepted,
                                        std::span<const RecipientOutcome> outcomes, bool dsn) {
  std::vector<std::uint32_t> owed;
  for (const RecipientOutcome& outcome : outcomes) {
    const bool failed = outcome.state == RecipientState::failed;
    if (!failed && (dsn || outcome.state != RecipientState::delivered)) continue;
    const Reported::Kind kind = failed ? Reported::Kind::failed : Reported::Kind::relayed;
    if (tell::is_owed(kind, accepted.recipients[outcome.recipient])) owed.push_back(outcome.recipient);
  }
  return owed;
}

std::vector<std::uint32_t> owed_events(const std::vector<config::Webhook>& webhooks,
                                       std::span<const RecipientOutcome> outcomes,
                                       config::WebhookEvent failure) {
  const auto is_wanted = [&webhooks](config::WebhookEvent event) {
    return std::ranges::any_of(webhooks, [event](const config::Webhook& webhook) {
      return std::ranges::find(webhook.events, event) != webhook.events.end();
    });
  };
  const bool delivered = is_wanted(config::WebhookEvent::delivered), failed = is_wanted(failure);
  std::vector<std::uint32_t> owed;
  for (const RecipientOutcome& outcome : outcomes)
    if ((delivered && outcome.state == RecipientState::delivered) ||
        (failed && outcome.state == RecipientState::failed))
      owed.push_back(outcome.recipient);
  return owed;
}

}  // namespace

queue::Debt owed(const config::Config& config, const mail::Envelope& accepted,
                 std::span<const RecipientOutcome> outcomes, bool dsn, config::WebhookEvent failure) {
  queue::Debt owed;
  if (!config.bounce.from.empty() && !accepted.report)
    owed.recipients = owed_reports(accepted, outcomes, dsn);
  if (!config.webhooks.empty()) owed.events = owed_events(config.webhooks, outcomes, failure);
  return owed;
}

}  // namespace relayd
