#include "tell/publisher.hpp"

#include "tell/log.hpp"

namespace relayd::tell {

Publisher::Publisher(telemetry::Log& log) {
  subscribe({.attempted = [&log](const Outcome& outcome) { attempted(log, outcome); },
             .given_up = [&log](const GivenUp& message) { given_up(log, message); }});
}

}  // namespace relayd::tell
