// Date: a time as header fields have it (RFC 5322 3.3).
//
// Stands under rewrite and tell, which write such fields. Pure.
#pragma once

#include <string>

#include "shared/base/time.hpp"

namespace relayd::mail {

// In UTC: "Fri, 20 Nov 2026 06:40:46 +0000".
std::string format_date(WallTime when);

}  // namespace relayd::mail
