// Who is to be told what became of a message (RFC 3461 5.2, RFC 5321 6.1, RFC 3834 2).
//
// Last stage of the path, before a report is made. Pure: the relay asks here when an outcome is recorded, and
// writes a report or none. Whether reports are written at all (`bounce.from`), and how many an hour, is the
// relay's matter.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"
#include "shared/mail/envelope.hpp"
#include "tell/outcome.hpp"

namespace relayd::tell {

// Whether a report of this kind may name the recipient, by his NOTIFY (RFC 3461 4.1, 5.2). Without one: of a
// failure and of a delay. `relayed` and `delivered` are asked about an upstream without DSN only
// (5.2.2, 5.2.3).
bool is_owed(Reported::Kind kind, const mail::Recipient& recipient);

// What a message says of itself that bears on reports about it.
struct HeaderMarks {
  bool automatic = false;     // Auto-Submitted, with any word but "no" (RFC 3834 5)
  bool auto_replied = false;  // Auto-Submitted: auto-replied
  bool bulk = false;          // Precedence: bulk, list or junk; or List-Id (RFC 2919)
};
// The header as it is stored; what follows its empty line is not read.
HeaderMarks header_marks(std::string_view header);

// A reverse-path without its source route: "@a,@b:u@d" is u@d (RFC 5321 6.1).
std::string_view without_route(std::string_view reverse_path);

// Whether the sender may be sent a report of this kind. Never the null sender, never about a report of ours,
// never `bounce_from` itself, never about an automatic reply; of a delay not about bulk or automatic mail.
bool is_told_of(Reported::Kind kind, const mail::Envelope& envelope, std::string_view bounce_from,
                const HeaderMarks& marks);

// Who is sent the report: the sender if `bounce.to` names him and he may be told, then the addresses of
// `bounce.to`, which hear of failures and delays, also of those of which the sender may not be told, but
// never of a report of ours. None twice; none at all: no report is written.
std::vector<std::string> addressees(const config::Bounce& bounce, Reported::Kind kind,
                                    const mail::Envelope& envelope, const HeaderMarks& marks);

}  // namespace relayd::tell
