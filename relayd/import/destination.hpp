// A nexthop of Postfix, `[smtp.example.net]:587`, and the provider whose host it is. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "route/presets.hpp"
#include "shared/base/result.hpp"

namespace relayd::importing {

struct Destination {
  std::string host;
  std::uint16_t port = 25;
  bool mx = false;  // without brackets: its MX records
};
Result<Destination> parse_destination(std::string_view nexthop);
// 25 of "smtp", 587 of "submission"; a number is itself. Nothing: it is no port.
std::optional<std::uint16_t> port_of(std::string_view service);

struct KnownHost {
  const route::Provider* preset;
  std::string region;  // empty: the default
};
std::optional<KnownHost> known_host(std::string_view host);

// A time of Postfix, such as 5d or 30s, in seconds; `unit` where it names none.
std::optional<int> seconds_of(std::string_view text, char unit);

}  // namespace relayd::importing
