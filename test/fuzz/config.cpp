#include "shared/config/config.hpp"

#include <algorithm>
#include <vector>

#include "fuzz/targets.hpp"
#include "shared/base/ascii.hpp"

namespace relayd::fuzz {

namespace {

// With it nothing asks for this machine's name.
constexpr std::string_view first_line = "hostname: relay.example.com\n";

// Of each line, how many octets it has.
std::vector<std::size_t> line_sizes(std::string_view text) {
  std::vector<std::size_t> sizes(1);
  for (const char c : text) {
    if (c == '\n')
      sizes.push_back(0);
    else
      ++sizes.back();
  }
  return sizes;
}

void check(const std::vector<config::Diagnostic>& diagnostics, std::string_view text) {
  const std::vector<std::size_t> sizes = line_sizes(text);
  int last_line = 0;
  for (const config::Diagnostic& diagnostic : diagnostics) {
    const auto [line, column] = diagnostic.where;
    demand(!diagnostic.text.empty(), "a complaint says what is wrong");
    demand(std::ranges::none_of(to_string(diagnostic), ascii::is_control), "a complaint is one line");
    demand(line >= last_line && line <= static_cast<int>(sizes.size()),
           "a complaint is about a line of the file");
    // Where the text ends too early, yaml-cpp has looked at what stands behind its end.
    demand(line == 0 || (column >= 1 && column <= static_cast<int>(sizes[line - 1]) + 2),
           "a complaint is about a place in its line");
    last_line = line;
  }
}

void check(const config::Loaded& loaded, std::string_view text) {
  demand((loaded.config != nullptr) == loaded.errors.empty(),
         "a configuration or complaints, and never both");
  check(loaded.errors, text);
  check(loaded.warnings, text);
}

// NAME=VALUE, one a line.
config::Environment variables(std::string_view input) {
  config::Environment environment;
  while (!input.empty()) {
    const std::string_view line = input.substr(0, input.find('\n'));
    input.remove_prefix(std::min(input.size(), line.size() + 1));
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    environment.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  environment["RELAYD_HOSTNAME"] = "relay.example.com";
  return environment;
}

}  // namespace

void config(std::string_view input) {
  const std::string text = std::string(first_line) + std::string(input);
  check(config::load_text(text, "relayd.yaml", {{"SET", "value"}}), text);
  if (!input.starts_with("RELAYD_")) return;
  const config::Loaded loaded = config::load_environment(variables(input));
  demand((loaded.config != nullptr) == loaded.errors.empty(),
         "a configuration or complaints, and never both");
}

}  // namespace relayd::fuzz
