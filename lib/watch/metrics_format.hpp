// In which format a client of HTTP gets the metrics, by what it accepts.
//
// Beside the path; used where HTTP is answered. Pure.
#pragma once

#include <string_view>

#include "shared/telemetry/metrics.hpp"

namespace relayd::watch {

// By the value of Accept (RFC 9110 12.5.1); of several fields, their values with commas between them.
// OpenMetrics where it is named in a version that is ours, and wanted at least as much as the text; else the
// text, also where neither is accepted: whoever asks is better off with it than with nothing.
telemetry::MetricFormat metric_format(std::string_view accept);

// The value of Content-Type.
std::string_view content_type(telemetry::MetricFormat format);

}  // namespace relayd::watch
