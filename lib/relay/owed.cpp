#include "relay/owed.hpp"

#include "tell/obligation.hpp"

namespace relayd {

using queue::RecipientState;
using tell::Reported;

std::vector<std::uint32_t> owed(const config::Bounce& bounce, const mail::Envelope& accepted,
                                std::span<const queue::RecipientOutcome> outcomes, bool dsn) {
  std::vector<std::uint32_t> owed;
  if (bounce.from.empty() || accepted.report) return owed;
  for (const queue::RecipientOutcome& outcome : outcomes) {
    const bool failed = outcome.state == RecipientState::failed;
    if (!failed && (dsn || outcome.state != RecipientState::delivered)) continue;
    const Reported::Kind kind = failed ? Reported::Kind::failed : Reported::Kind::relayed;
    if (tell::is_owed(kind, accepted.recipients[outcome.recipient])) owed.push_back(outcome.recipient);
  }
  return owed;
}

}  // namespace relayd
