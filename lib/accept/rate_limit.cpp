#include "accept/rate_limit.hpp"

#include <algorithm>

#include "accept/penalties.hpp"

namespace relayd::accept {

SteadyTime RateLimit::next_for(std::string_view client, SteadyTime now) {
  if (next_.size() >= clients_limit) {
    std::erase_if(next_, [now](const auto& entry) { return entry.second <= now; });
    if (next_.size() >= clients_limit) next_.clear();  // the rate of all still holds
  }
  return next_for(of_client_, next_[counted_as(client)], now);
}

SteadyTime RateLimit::next_for(Rate rate, SteadyTime& next, SteadyTime now) {
  const Duration each = Duration(std::chrono::seconds(1)) / rate.a_second;
  const SteadyTime turn = std::max(now, next - (rate.at_once - 1) * each);
  next = std::max(now, next) + each;
  return turn;
}

}  // namespace relayd::accept
