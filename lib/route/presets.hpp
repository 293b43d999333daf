// Presets: what is known of the providers that `provider:` names.
//
// Stands under the router, which lays an upstream's own settings over them. One table, a row a provider; the
// meaning of their replies is settle's. No preset holds anything secret.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.hpp"
#include "shared/config/config.hpp"

namespace relayd::route {

struct Endpoint {
  std::uint16_t port = 0;
  config::TlsMode tls = config::TlsMode::starttls;
  bool operator==(const Endpoint&) const = default;
};

struct Region {
  std::string_view name;
  std::string_view host;
};

struct Preset {
  std::string_view name;
  // The first is the default; one without a name: there are no regions. A single one named "*" stands for
  // any, whose name replaces the "*" in the host.
  std::vector<Region> regions;
  std::vector<Endpoint> endpoints;          // tried in order; ports that networks block most stand last
  std::vector<sasl::Mechanism> mechanisms;  // in order of preference
  bool (*takes_username)(std::string_view username);  // false only for what cannot be one there
  std::string_view credential_hint;                   // what username and password are there, in words
  config::UpstreamLimits limits = {};                 // only what the provider tells
  std::optional<config::Pipelining> pipelining = {};  // only where the usual way is in doubt
};

// Null for an unknown name.
const Preset* find_preset(std::string_view name);

// The host in a region, or in the default one when `region` is empty. The error says which regions there are.
Result<std::string> host_of(const Preset& preset, std::string_view region);

std::vector<std::string_view> preset_names();

}  // namespace relayd::route
