#include "relay/owed.hpp"

#include "tell/obligation.hpp"

namespace relayd {

using queue::RecipientState;
using tell::Reported;

queue::Debt owed(const config::Config& config, const mail::Envelope& accepted,
                 std::span<const queue::RecipientOutcome> outcomes, bool dsn) {
  queue::Debt owed;
  if (config.bounce.from.empty() || accepted.report) return owed;
  for (const queue::RecipientOutcome& outcome : outcomes) {
    const bool failed = outcome.state == RecipientState::failed;
    if (!failed && (dsn || outcome.state != RecipientState::delivered)) continue;
    const Reported::Kind kind = failed ? Reported::Kind::failed : Reported::Kind::relayed;
    if (tell::is_owed(kind, accepted.recipients[outcome.recipient]))
      owed.recipients.push_back(outcome.recipient);
  }
  return owed;
}

}  // namespace relayd
