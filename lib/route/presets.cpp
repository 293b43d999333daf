#include "route/presets.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace relayd::route {

namespace {

// "eu-west-1": what may stand inside a host name.
bool is_region_name(std::string_view name) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.starts_with('-') && !name.ends_with('-') && std::ranges::all_of(name, good);
}

Result<std::string> host_in_any_region(const Provider& provider, std::string_view region) {
  if (region.empty())
    return Error{fmt::format("'{}' needs a region, such as {}", provider.name, provider.example_region)};
  if (!is_region_name(region))
    return Error{fmt::format("'{}' is not a region of '{}'", region, provider.name)};
  std::string host(provider.regions.front().host);
  return host.replace(host.find('*'), 1, region);
}

bool is_word(const providers::Account& account, std::string_view username) {
  if (!username.starts_with(account.word)) return false;
  username.remove_prefix(account.word.size());
  return username.empty() || (!account.suffix.empty() && username.starts_with(account.suffix));
}

}  // namespace

const Provider* find_preset(std::string_view name) {
  const Provider* const found = providers::find(name);
  return found && found->is_preset() ? found : nullptr;
}

Result<std::string> host_of(const Provider& provider, std::string_view region) {
  const providers::Region& usual = provider.regions.front();
  if (usual.host.empty())
    return Error{fmt::format("'{}' needs 'host': each account has its own", provider.name)};
  if (usual.name == "*") return host_in_any_region(provider, region);
  if (region.empty()) return std::string(usual.host);
  std::vector<std::string_view> names;
  for (const auto& [name, host] : provider.regions) {
    if (name == region) return std::string(host);
    if (!name.empty()) names.push_back(name);
  }
  if (names.empty()) return Error{fmt::format("the provider '{}' has no regions", provider.name)};
  return Error{
      fmt::format("unknown region '{}' of '{}': it has {}", region, provider.name, fmt::join(names, ", "))};
}

bool may_be_username(const Provider& provider, std::string_view username) {
  const bool is_address = username.find('@') != std::string_view::npos;
  switch (provider.account.form) {
    case providers::UsernameForm::any:
      return true;
    case providers::UsernameForm::address:
      return is_address;
    case providers::UsernameForm::no_address:
      return !is_address;
    case providers::UsernameForm::one_word:
      return is_word(provider.account, username);
  }
  return true;
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> names;
  for (const Provider& provider : providers::all())
    if (provider.is_preset()) names.push_back(provider.name);
  return names;
}

}  // namespace relayd::route
