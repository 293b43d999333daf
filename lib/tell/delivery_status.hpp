// The part of a report that programs read (RFC 3464 2, RFC 6533 4.1). Private to the reports of this room.
//
// Pure.
#pragma once

#include <string>
#include <vector>

#include "shared/smtp/reply.hpp"
#include "tell/report.hpp"
#include "tell/report_lines.hpp"

namespace relayd::tell {

// The recipient as he was accepted. An index that is out of range gives one without an address.
const mail::Recipient& recipient_of(const ReportFacts& facts, const ReportedRecipient& one);

// The code in the reply if it is well-formed and of the class that the report and the reply have (RFC 3461
// 6.3g), else one that says no more than is known.
smtp::EnhancedCode status_of(Reported::Kind kind, const ReportedRecipient& one);

// The host without its port; a literal in brackets (RFC 5321 4.1.3). Printable.
std::string host_name(std::string_view host);

// The lines of the reply as the server sent them, "550-5.1.1 …", "550 …", or what happened instead.
std::vector<std::string> reply_lines(const ReportedRecipient& one);

// `utf8`: the report may hold UTF-8. Without any in it the part is the one of RFC 3464 (RFC 6533 4.4).
Part delivery_status(const ReportFacts& facts, bool utf8);
bool is_global(const Part& status);  // it is the one of RFC 6533

}  // namespace relayd::tell
