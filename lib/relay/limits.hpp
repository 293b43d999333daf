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

send::LaneLimits lane_limits(const route::Limits& limits);

// What an account may send there, as the limits are now; with the share in what all accounts may.
std::shared_ptr<send::Allowance> allowance_of(QuotaBook& book, const route::Upstream& upstream,
                                              const std::string& username, WallTime now);

}  // namespace relayd
