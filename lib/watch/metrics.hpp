// The metrics of a running relay: what it has counted, and how it stands at this moment.
//
// Beside the path; asked by the Desk. What stands is read off the Status and counted nowhere else.
// Pure: values in, text out, so that a thread may do it.
#pragma once

#include <string>
#include <vector>

#include "shared/telemetry/metrics.hpp"
#include "watch/status.hpp"

namespace relayd::watch {

// Queue, lanes, connections, configuration.
std::vector<telemetry::Family> standing_of(const Status& status);

// What was counted, then what stands. Both are its own, since to be rid of many lanes takes a while, too.
std::string metrics_text(Status status, std::vector<telemetry::Family> counted,
                         telemetry::MetricFormat format = telemetry::MetricFormat::text);

}  // namespace relayd::watch
