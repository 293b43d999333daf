// Whether a rule asks for more than an address.
#pragma once

#include "shared/config/config.hpp"

namespace relayd::config {

inline bool asks_more(const RuleConditions& conditions) {
  return !conditions.account.empty() || !conditions.clients.empty() || !conditions.uids.empty() ||
         !conditions.listener.empty() || !conditions.headers.empty();
}

}  // namespace relayd::config
