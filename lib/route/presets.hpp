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
  std::vector<Region> regions;          // the first is the default; one without a name: there are no regions
  std::vector<Endpoint> endpoints;      // tried in order; ports that networks block most stand last
  std::vector<std::string> mechanisms;  // in order of preference
  std::string_view username;            // the one that everybody uses; empty: it depends on the account
  std::string_view credential_hint;     // what username and password are there, in words
  config::UpstreamLimits limits;        // only what the provider tells
  std::optional<config::Pipelining> pipelining = std::nullopt;  // only where the usual way fails
};

// Null for an unknown name.
const Preset* find_preset(std::string_view name);

std::vector<std::string_view> preset_names();

}  // namespace relayd::route
