#include "shared/config/config.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "shared/base/ascii.hpp"

namespace relayd::config {

std::string to_string(const Diagnostic& diagnostic) {
  const auto [line, column] = diagnostic.where;
  const std::string place = line == 0 ? std::string() : fmt::format("{}:{}:", line, column);
  std::string text = fmt::format("{}:{} {}", diagnostic.file, place, diagnostic.text);
  // It quotes keys and values, which may hold anything: it stays one line all the same.
  std::ranges::replace_if(text, ascii::is_control, '?');
  return text;
}

const Upstream* Config::upstream(std::string_view name) const {
  const auto found = std::ranges::find(upstreams, name, &Upstream::name);
  return found == upstreams.end() ? nullptr : &*found;
}

Environment process_environment() {
  Environment environment;
  for (char** variable = environ; variable && *variable; ++variable) {
    const std::string_view text = *variable;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos)
      environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

}  // namespace relayd::config
