#include "shared/sasl/mechanism.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/sasl/sasl.hpp"

namespace relayd::sasl {

namespace {

// Strongest first. Everything else that libgsasl knows (NTLM, GSSAPI, DIGEST-MD5, …) cannot be reached.
constexpr Mechanism mechanisms[] = {
    {"SCRAM-SHA-256-PLUS", true, true, true, 1},  // RFC 7677
    {"SCRAM-SHA-256", true, true, true, 1},       // RFC 7677
    {"SCRAM-SHA-1-PLUS", true, true, false, 1},   // RFC 5802
    {"SCRAM-SHA-1", true, true, false, 1},        // RFC 5802
    {"PLAIN", true, false, true, 0},              // RFC 4616
    {"LOGIN", false, false, true, 2},             // no RFC; draft-murchison-sasl-login
    {"CRAM-MD5", false, false, false, 0},         // RFC 2195; only where it is named
    {"EXTERNAL", true, false, false, 0},          // RFC 4422 A; only where it is named
};

bool contains(const std::vector<std::string>& names, std::string_view wanted) {
  return std::ranges::any_of(names, [&](const std::string& name) { return equal_names(name, wanted); });
}

}  // namespace

bool equal_names(std::string_view a, std::string_view b) {
  return ascii::lower(a) == ascii::lower(b);
}

const Mechanism* find_mechanism(std::string_view name) {
  const auto* const found =
      std::ranges::find_if(mechanisms, [name](const Mechanism& row) { return equal_names(row.name, name); });
  return found == std::end(mechanisms) ? nullptr : found;
}

bool is_known(std::string_view mechanism) {
  return find_mechanism(mechanism) != nullptr;
}

std::string choose(const std::vector<std::string>& preferred, const std::vector<std::string>& offered,
                   const std::optional<ChannelBinding>& binding, const std::vector<std::string>& refused) {
  for (const std::string& wanted : preferred) {
    const Mechanism* const mechanism = find_mechanism(wanted);
    const bool possible = mechanism && (binding || !mechanism->binds());
    if (possible && contains(offered, wanted) && !contains(refused, wanted)) return mechanism->name;
  }
  return {};
}

std::string server_mechanisms(bool can_bind) {
  std::string list;
  for (const Mechanism& row : mechanisms)
    if (row.server && (can_bind || !row.binds()))
      list += list.empty() ? row.name : fmt::format(" {}", row.name);
  return list;
}

}  // namespace relayd::sasl
