// Trouble: what of a running relay needs a person: how bad it is, since when, and what to do.
//
// Beside the path; asked for `relayd status`, its --check and the page. The one place that judges so. Pure: a
// status in, the list out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/base/time.hpp"
#include "watch/status.hpp"

namespace relayd::watch {

// What passes by itself is none until it has lasted for `patience`.
struct Trouble {
  enum class Severity {
    critical,  // mail does not go, or is not taken, and will not without a person
    warning,   // it had better be looked at
  };
  Severity severity = Severity::warning;
  std::string what;                    // a sentence without its stop; may quote what a server said
  std::optional<WallTime> since = {};  // nothing: it is not known
  std::string advice = {};             // a sentence without its stop; empty: `what` says it
  std::string upstream = {};           // that it is about; empty: none
  std::string account = {};            // likewise
};
const char* to_string(Trouble::Severity severity);

// Worst first. None: all is well, or goes on by itself.
std::vector<Trouble> troubles_of(const Status& status);

}  // namespace relayd::watch
