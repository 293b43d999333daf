// examine(): runs a Doctor on a loop of its own, for commands.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "relay/doctor.hpp"
#include "route/router.hpp"
#include "send/tokens.hpp"
#include "watch/finding.hpp"

namespace relayd::command {

// Blocks until all that the order names was looked at. `signed_in`: the tokens of an account whose person has
// just signed in; null: not that one. Without it a sign-in is not tried, as it is the running relay's.
std::vector<watch::Finding> examine(const std::shared_ptr<const route::Router>& router,
                                    const DoctorOrder& order,
                                    const std::function<send::Tokens*(const route::Choice&)>& signed_in = {});

}  // namespace relayd::command
