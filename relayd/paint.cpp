#include "paint.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace relayd::command {

namespace {

std::string_view colour_of(std::string_view line) {
  if (line.starts_with("critical: ")) return "\x1b[1;31m";
  if (line.starts_with("warning: ")) return "\x1b[33m";
  if (line.starts_with("relayd ") || line.starts_with("LANE ")) return "\x1b[1m";
  return {};
}

}  // namespace

bool has_colour() {
  const char* const refused = std::getenv("NO_COLOR");
  const char* const terminal = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && !(refused && *refused) && terminal &&
         std::string_view(terminal) != "dumb";
}

std::string painted(std::string_view lines) {
  if (!has_colour()) return std::string(lines);
  std::string out;
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    const std::string_view colour = colour_of(line);
    (out += colour) += line;
    if (!colour.empty()) out += "\x1b[0m";
    out += '\n';
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  return out;
}

}  // namespace relayd::command
