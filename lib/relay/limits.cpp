#include "relay/limits.hpp"

namespace relayd {

send::LaneLimits lane_limits(const route::Limits& limits) {
  send::LaneLimits lane;
  lane.connections = limits.connections;
  lane.messages_per_connection = limits.messages_per_connection;
  lane.recipients_per_message = limits.recipients_per_message;
  lane.idle = limits.idle;
  lane.recipients_per_connection = limits.recipients_per_connection;
  lane.rates = limits.rate;
  return lane;
}

std::shared_ptr<send::Allowance> allowance_of(QuotaBook& book, const route::Upstream& upstream,
                                              const std::string& username, WallTime now) {
  std::shared_ptr<send::Allowance> account = book.of_account(upstream.name, username);
  std::shared_ptr<send::Allowance> total = book.of_upstream(upstream.name);
  account->use(upstream.limits.quota, now, upstream.limits.rate);
  total->use(upstream.limits.quota_total, now);
  account->share(std::move(total));
  return account;
}

}  // namespace relayd
