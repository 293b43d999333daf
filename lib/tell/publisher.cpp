#include "tell/publisher.hpp"

#include "tell/log.hpp"

namespace relayd::tell {

Publisher::Publisher(telemetry::Log& log) {
  subscribe({.arrived = [&log](const Arrival& arrival) { arrived(log, arrival); },
             .attempted = [&log](const Outcome& outcome) { attempted(log, outcome); },
             .given_up = [&log](const GivenUp& message) { given_up(log, message); },
             .handled = [&log](const Handled& message) { handled(log, message); },
             .reported = [&log](const Reported& report) { reported(log, report); },
             .suppressed = [&log](const Suppressed& recipient) { suppressed(log, recipient); },
             .account_changed = [&log](const AccountNews& account) { account_changed(log, account); }});
}

}  // namespace relayd::tell
