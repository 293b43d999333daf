#include "route/control.hpp"

#include <algorithm>

#include "shared/base/ascii.hpp"

namespace relayd::route {

namespace {

bool is_in(std::string_view host, std::string_view domain) {
  if (domain.empty() || host.size() <= domain.size()) return false;
  const std::size_t begin = host.size() - domain.size();
  return host[begin - 1] == '.' && ascii::equal_ignoring_case(host.substr(begin), domain);
}

}  // namespace

const std::vector<const mail::ControlFields*>& control_fields() {
  static const std::vector<const mail::ControlFields*> list = [] {
    std::vector<const mail::ControlFields*> found;
    for (const Provider& provider : providers::all())
      if (!provider.control.fields.empty()) found.push_back(&provider.control);
    return found;
  }();
  return list;
}

const mail::ControlFields* control_fields_of(const Upstream& upstream) {
  if (upstream.preset) return &upstream.preset->control;
  const auto found = std::ranges::find_if(
      providers::all(), [&](const Provider& provider) { return is_in(upstream.host, provider.domain); });
  return found == providers::all().end() ? nullptr : &found->control;
}

}  // namespace relayd::route
