#include "accept/turns.hpp"

#include <algorithm>

#include "accept/penalties.hpp"

namespace relayd::accept {

SteadyTime Turns::take(std::string_view client, SteadyTime now) {
  if (next_.size() >= clients_limit) {
    std::erase_if(next_, [now](const auto& entry) { return entry.second <= now; });
    if (next_.size() >= clients_limit) next_.clear();  // the turns of all still hold
  }
  return take(of_client_, next_[counted_as(client)], now);
}

SteadyTime Turns::take(Rate rate, SteadyTime& next, SteadyTime now) {
  const Duration each = Duration(std::chrono::seconds(1)) / rate.a_second;
  const SteadyTime turn = std::max(now, next - (rate.at_once - 1) * each);
  next = std::max(now, next) + each;
  return turn;
}

}  // namespace relayd::accept
