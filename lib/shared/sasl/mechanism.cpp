#include "shared/sasl/mechanism.hpp"

#include <algorithm>

#include "shared/sasl/sasl.hpp"
#include "shared/sasl/traits.hpp"

namespace relayd::sasl {

namespace {

using enum Mechanism;

// In the order of the enumeration.
constexpr Traits all[] = {
    {scram_sha_256_plus, true, true, true, true, 1},
    {scram_sha_256, true, true, false, true, 1},
    {scram_sha_1_plus, true, true, true, false, 1},
    {scram_sha_1, true, true, false, false, 1},
    {plain, true, false, false, true, 0},
    {login, false, false, false, true, 2},
    {cram_md5, false, false, false, false, 0},
    {external, true, false, false, false, 0},
    {xoauth2, false, false, false, false, 0},
    {oauthbearer, false, false, false, false, 0},
};

}  // namespace

const Traits& traits_of(Mechanism mechanism) {
  return *std::ranges::find(all, mechanism, &Traits::mechanism);
}

std::optional<Mechanism> choose(const std::vector<Mechanism>& preferred,
                                const std::vector<std::string>& offered,
                                const std::optional<ChannelBinding>& binding,
                                const std::vector<Mechanism>& refused) {
  const auto is_offered = [&offered](Mechanism wanted) {
    return std::ranges::any_of(offered,
                               [wanted](const std::string& name) { return find_mechanism(name) == wanted; });
  };
  for (const Mechanism wanted : preferred) {
    const bool possible = binding || !traits_of(wanted).binds;
    const bool was_refused = std::ranges::find(refused, wanted) != refused.end();
    if (possible && is_offered(wanted) && !was_refused) return wanted;
  }
  return {};
}

std::string server_mechanisms(bool can_bind) {
  std::string list;
  for (const Traits& traits : all)
    if (traits.server && (can_bind || !traits.binds))
      list.append(list.empty() ? "" : " ").append(wire_name(traits.mechanism));
  return list;
}

}  // namespace relayd::sasl
