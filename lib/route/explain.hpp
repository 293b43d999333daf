// Explain: a routing decision in words, for `relayd explain`.
//
// Prints what Router::route() answers and nothing of its own, so that it cannot tell another story than the
// one that is acted on. Never a secret: only where it comes from.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "route/router.hpp"

namespace relayd::route {

// Lines with '\n': the rule with file and line, then each upstream in order with host, ports, TLS, account,
// mechanisms and limits, and for each value whether the file, the preset or a default says so. Where
// recipients go different ways, this for each way, with those who go it; `recipients` empty: of whomever no
// rule of `recipients` is for.
std::string explain(const Router& router, const Mail& mail, std::span<const std::string> recipients = {});

// Where a rule or an account stands: "relayd.yaml:14"; `file` is empty for the configuration.
std::string place(const config::Config& config, std::string_view file, config::Location where);

// Adds one line of what `relayd explain` prints; `from`: who says so, or empty.
void line(std::string& text, std::string_view key, std::string_view value, std::string_view from = {});

}  // namespace relayd::route
