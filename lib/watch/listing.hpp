// What the operator sees of a message beside what the queue has in memory: to whom it goes and why it waits,
// and the routes that are open to it.
//
// Beside the path; asked by the Desk. Pure: values in, JSON out.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "queue/queue.hpp"
#include "shared/mail/envelope.hpp"
#include "watch/accounts.hpp"

namespace relayd::watch {

// A route of some of a message's recipients, in the present configuration.
struct RouteSeen {
  std::string rule;               // what it matches
  std::string where;              // "relayd.yaml:14"
  std::vector<AccountName> ways;  // in order, those first that are next
};
nlohmann::json describe_routes(const std::vector<RouteSeen>& routes);

// A row of the list, a line with '\n', with `to`, the first recipient who is still to be sent (or the first
// there is), `to_count` of such, and `reason`, the newest reply about that one.
std::string with_details(const std::string& row, const mail::Envelope& envelope,
                         const std::vector<queue::RecipientState>& states,
                         const std::vector<queue::HistoryEvent>& events);

}  // namespace relayd::watch
