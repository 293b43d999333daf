// Presets: the providers that `provider:` names, as the router wants to know them.
//
// Stands under the router, which lays an upstream's own settings over them. What is known of each is in
// lib/providers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "providers/provider.hpp"
#include "shared/base/result.hpp"

namespace relayd::route {

using providers::Endpoint;
using providers::Provider;

// Null for an unknown name, and for a provider that cannot be named.
const Provider* find_preset(std::string_view name);

// The host in a region, or in the default one when `region` is empty. The error says which regions there are.
Result<std::string> host_of(const Provider& provider, std::string_view region);

// False only for what cannot be one there.
bool may_be_username(const Provider& provider, std::string_view username);

std::vector<std::string_view> preset_names();

}  // namespace relayd::route
