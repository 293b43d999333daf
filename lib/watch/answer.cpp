#include "watch/answer.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace relayd::watch {

using nlohmann::json;

std::string line_of(const json& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string time_text(WallTime when) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(when));
}

}  // namespace relayd::watch
