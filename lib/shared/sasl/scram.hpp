// SCRAM (RFC 5802, RFC 7677): what is checked before libgsasl sees it. Private to this room.
#pragma once

#include <string_view>

#include "shared/base/result.hpp"

namespace relayd::sasl {

// Whether a server-first-message, "r=…,s=…,i=4096", may be computed with: libgsasl takes one iteration, and
// would compute for minutes on a large count. The error says what is wrong.
Result<bool> check_server_first(std::string_view message);

}  // namespace relayd::sasl
