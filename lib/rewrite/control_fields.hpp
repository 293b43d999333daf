// Control fields: which orders to providers a message may carry to its upstream.
//
// Asked at each attempt, before the header rules, so that what the operator sets stands. Pure: what each
// provider acts on is handed in (see route/control.hpp). Linear time in the header.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/mail/control_field.hpp"

namespace relayd::rewrite {

// Takes the fields of every provider (`all`) out of a header, but for those of the one that the message
// leaves through (`own`; null: none that is known): its harmless ones stay, the others where the client may
// use them. X-Relayd-Tag and X-Relayd-Stream become the field that `own` has for them, unless the message has
// that already; they are taken out where there is none, and where their value does not fit it. Nothing when
// there was none of all these. `header`: as of MergedHeaderRules::apply.
std::optional<std::string> with_own_control_fields(std::string_view header,
                                                   const std::vector<const mail::ControlFields*>& all,
                                                   const mail::ControlFields* own, bool may_use);

}  // namespace relayd::rewrite
