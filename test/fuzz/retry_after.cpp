#include "shared/http/retry_after.hpp"

#include <algorithm>
#include <chrono>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::fuzz {

void retry_after(std::string_view input) {
  using std::chrono::seconds;
  const WallTime now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + std::chrono::hours(12);
  const std::optional<seconds> wait = http::retry_after(input, now);
  const bool is_number = !input.empty() && std::ranges::all_of(input, ascii::is_digit);
  demand(!is_number || wait, "a number is a wait");
  if (!wait) return;
  demand(*wait >= seconds(0) && *wait <= http::longest_retry_after, "a wait is bounded");
  const std::optional<seconds> later = http::retry_after(input, now + seconds(1));
  if (is_number || *wait == seconds(0))
    demand(later == wait, "seconds do not depend on the clock, and what is past stays past");
  else
    demand(later == *wait - seconds(1) || *wait == http::longest_retry_after, "a date comes nearer");
}

}  // namespace relayd::fuzz
