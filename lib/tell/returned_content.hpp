// The part of a report that returns the message, or its header (RFC 6522 3, 4; RFC 6533 4.2, 4.3). Private to
// the reports of this room.
//
// Pure; linear time.
#pragma once

#include "tell/report.hpp"
#include "tell/report_lines.hpp"

namespace relayd::tell {

// The fields at the front of a text, up to its empty line, which is left out: all, or of the first ones as
// many as have `most` octets together.
std::string_view whole_fields(std::string_view header, std::size_t most);

// `utf8`: the report may hold UTF-8.
Part returned_content(const ReportFacts& facts, bool utf8);

}  // namespace relayd::tell
