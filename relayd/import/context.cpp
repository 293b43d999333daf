#include "import/context.hpp"

#include <fmt/format.h>

#include "shared/base/ascii.hpp"

namespace relayd::importing {

std::string Context::value(std::string_view name, const Overrides& overrides) {
  const Result<std::string> expanded = main.get(name, overrides);
  if (expanded) return *expanded;
  mark(name);
  if (unknown_.emplace(name).second)
    report.left(place(name), fmt::format("{}: its value cannot be known: {}; write it out and import again",
                                         name, expanded.error()));
  return {};
}

bool Context::flag(std::string_view name, const Overrides& overrides) {
  return ascii::equal_ignoring_case(value(name, overrides), "yes");
}

Place Context::place(std::string_view name) const {
  const Setting* const setting = main.find(name);
  return {"main.cf", setting ? setting->line : 0};
}

const std::vector<Map>& Context::tables(std::string_view name, const Overrides& overrides, bool aliases) {
  const std::string list = value(name, overrides);
  const auto [found, is_new] = read_.try_emplace(list);
  if (is_new) {
    found->second = read_maps(list, place(name), maps, aliases);
    for (const Map& map : found->second)
      if (map.kind == Map::Kind::unusable) {
        unknown_.emplace(name);
        report.left(place(name), fmt::format("{}: {}", name, map.complaint));
      }
  }
  return found->second;
}

std::string Context::completed(std::string_view address) {
  if (address.find('@') != std::string_view::npos) return std::string(address);
  return fmt::format("{}@{}", address, value("myorigin"));
}

void Context::carried(std::string_view name, std::string_view text) {
  mark(name);
  if (is_set(name) && !unknown_.contains(name))
    report.carried(place(name), fmt::format("{}: {}", name, text));
}

void Context::left(std::string_view name, std::string_view text) {
  mark(name);
  if (is_set(name)) report.left(place(name), fmt::format("{}: {}", name, text));
}

}  // namespace relayd::importing
