#include "fake/behaviours.hpp"

#include <algorithm>

namespace relayd::fake {

namespace {

using smtp::Stage;

// What each means is in test/providers/general.txt.
constexpr Behaviour of_everybody[] = {
    {"down", Stage::greeting, "421 4.3.2 Service not available, try again later"},
    {"too-many-connections", Stage::greeting, "421 4.7.0 Too many connections"},
    {refuse_password, Stage::auth, "535 5.7.8 Authentication credentials invalid"},
    {"refuse-sender", Stage::mail, "550 5.7.1 Sender not allowed"},
    {null_sender, Stage::mail, "550 5.1.7 The null sender is not taken"},
    {connection_used_up, Stage::mail, "421 4.7.0 Too many messages for this connection"},
    {"refuse-recipient", Stage::rcpt, "550 5.1.1 No such user"},
    {too_many_recipients, Stage::rcpt, "452 4.5.3 Too many recipients"},
    {"try-later", Stage::rcpt, "451 4.3.0 Try again later"},
    {"throttle", Stage::final_dot, "451 4.7.0 Rate limit exceeded, try again later"},
    {"over-quota", Stage::final_dot, "452 4.7.0 Daily sending quota exceeded"},
    {"refuse-content", Stage::final_dot, "554 5.7.1 Refused as spam"},
    {too_large, Stage::final_dot, "552 5.3.4 Message too big"},
    {"break-off", Stage::final_dot, ""},
};

}  // namespace

std::vector<Behaviour> behaviours_of(const route::Provider& provider) {
  std::vector<Behaviour> all = provider.behaviours;
  for (const Behaviour& usual : of_everybody) {
    const bool never = usual.stage == Stage::auth && provider.mechanisms.empty() && provider.is_preset();
    if (!never && std::ranges::find(all, usual.name, &Behaviour::name) == all.end()) all.push_back(usual);
  }
  return all;
}

std::optional<Behaviour> find_behaviour(const route::Provider& provider, std::string_view name) {
  for (const Behaviour& one : behaviours_of(provider))
    if (one.name == name) return one;
  return std::nullopt;
}

}  // namespace relayd::fake
