#include "import/destination.hpp"

#include <fmt/format.h>

#include <charconv>

#include "shared/base/ascii.hpp"

namespace relayd::importing {

std::optional<std::uint16_t> port_of(std::string_view service) {
  if (service == "smtp") return 25;
  if (service == "submission") return 587;
  if (service == "smtps" || service == "submissions") return 465;
  if (service == "lmtp") return 24;
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(service.data(), service.data() + service.size(), port);
  if (error != std::errc() || end != service.data() + service.size() || port == 0) return std::nullopt;
  return port;
}

Result<Destination> parse_destination(std::string_view nexthop) {
  if (nexthop.starts_with("inet:")) nexthop.remove_prefix(5);
  Destination to;
  std::string_view port;
  if (nexthop.starts_with('[')) {
    const std::size_t close = nexthop.find(']');
    if (close == std::string_view::npos) return Error{fmt::format("'{}' has no closing bracket", nexthop)};
    std::string_view host = nexthop.substr(1, close - 1);
    if (ascii::lower(host).starts_with("ipv6:")) host.remove_prefix(5);
    to.host = host;
    port = nexthop.substr(close + 1);
    if (!port.empty() && !port.starts_with(':')) return Error{fmt::format("'{}' is no HOST:PORT", nexthop)};
  } else {
    const std::size_t colon = std::min(nexthop.rfind(':'), nexthop.size());
    to.host = nexthop.substr(0, colon);
    port = nexthop.substr(colon);
    to.mx = true;
  }
  if (!port.empty()) {
    const std::optional<std::uint16_t> number = port_of(port.substr(1));
    if (!number) return Error{fmt::format("'{}' names no port that is known here", nexthop)};
    to.port = *number;
  }
  if (to.host.empty() || to.host.find_first_of("/ \t") != std::string::npos)
    return Error{fmt::format("'{}' names no host", nexthop)};
  if (known_host(to.host)) to.mx = false;  // a name of a server, which has no MX records
  return to;
}

std::optional<KnownHost> known_host(std::string_view host) {
  for (const std::string_view name : route::preset_names()) {
    const route::Provider* const preset = route::find_preset(name);
    for (const auto& [region, pattern] : preset->regions) {
      if (pattern.empty()) continue;
      const std::size_t star = pattern.find('*');
      if (star == std::string_view::npos) {
        if (pattern == host)
          return KnownHost{preset, std::string(&region == &preset->regions.front().name ? "" : region)};
        continue;
      }
      const std::string_view before = pattern.substr(0, star), behind = pattern.substr(star + 1);
      if (host.size() > before.size() + behind.size() && host.starts_with(before) && host.ends_with(behind))
        return KnownHost{
            preset, std::string(host.substr(before.size(), host.size() - before.size() - behind.size()))};
    }
  }
  return std::nullopt;
}

std::optional<int> seconds_of(std::string_view text, char unit) {
  if (!text.empty() && ascii::is_letter(text.back())) {
    unit = ascii::lower(text.back());
    text.remove_suffix(1);
  }
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || end != text.data() + text.size() || count < 0) return std::nullopt;
  const int factor = unit == 's'   ? 1
                     : unit == 'm' ? 60
                     : unit == 'h' ? 3600
                     : unit == 'd' ? 86400
                     : unit == 'w' ? 604800
                                   : 0;
  if (factor == 0 || count > 1'000'000'000 / factor) return std::nullopt;
  return count * factor;
}

}  // namespace relayd::importing
