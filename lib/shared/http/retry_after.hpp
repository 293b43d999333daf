// retry_after(): how long a server asks to be left alone, by its field Retry-After (RFC 9110 10.2.3).
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "shared/base/time.hpp"

namespace relayd::http {

// No server is believed further than that.
inline constexpr std::chrono::seconds longest_retry_after{86400};

// From 0, which a date in the past means, to the longest. `value` is a number of seconds, or a date in one of
// the three forms that HTTP has had (5.6.7). Nothing: it is neither. Pure.
std::optional<std::chrono::seconds> retry_after(std::string_view value, WallTime now);

// A date of HTTP in one of its three forms (RFC 9110 5.6.7); nothing: it is none. Pure. `now` says the
// century of the form that leaves it out.
std::optional<WallTime> parse_date(std::string_view value, WallTime now);

}  // namespace relayd::http
