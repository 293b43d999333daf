// What an upstream's limits are to its lanes.
//
// Beside the path; asked by Lanes when it makes a lane, and at a reload.
#pragma once

#include <memory>
#include <string>

#include "relay/quota_book.hpp"
#include "route/upstream.hpp"
#include "send/lane.hpp"

namespace relayd {

// The limits of one lane; the connections of all accounts together are the site's.
send::LaneLimits lane_limits(const route::Limits& limits);

// Sets the quotas of an account there as the limits are now, and its share in the upstream's total; returns
// what it may send.
std::shared_ptr<send::Allowance> allowance_of(QuotaBook& book, const route::Upstream& upstream,
                                              const std::string& username, WallTime now);

}  // namespace relayd
