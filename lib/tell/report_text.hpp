// The part of a report that people read: what became of the message, why, what can be done about it, and what
// the server said. Private to the reports of this room.
//
// Pure.
#pragma once

#include <string>

#include "tell/report.hpp"
#include "tell/report_lines.hpp"

namespace relayd::tell {

// `utf8`: the report may hold UTF-8.
Part report_text(const ReportFacts& facts, bool utf8);

}  // namespace relayd::tell
