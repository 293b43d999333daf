// Rows: what replies mean that are no provider's own. The table itself is in rows.cpp.
//
// Read by judge() alone (verdict.cpp), behind the rows of the provider (providers/provider.hpp). Constant.
#pragma once

#include <span>

#include "providers/reply_row.hpp"

namespace relayd::settle {

std::span<const providers::ReplyRow> general_rows();  // the last one fits always

}  // namespace relayd::settle
