#include "relay/limits.hpp"

namespace relayd {

send::LaneLimits lane_limits(const route::Limits& limits) {
  send::LaneLimits lane;
  lane.connections = limits.connections;
  lane.messages_per_connection = limits.messages_per_connection;
  lane.recipients_per_message = limits.recipients_per_message;
  lane.idle = limits.idle;
  if (limits.rate) lane.rates = {*limits.rate};
  return lane;
}

std::shared_ptr<send::Allowance> allowance_of(QuotaBook& book, const route::Upstream& upstream,
                                              const std::string& username, WallTime now) {
  std::shared_ptr<send::Allowance> account = book.of_account(upstream.name, username);
  std::vector<config::Quota> quotas;
  if (upstream.limits.quota) quotas.push_back(*upstream.limits.quota);
  account->use(quotas, now);
  return account;
}

}  // namespace relayd
