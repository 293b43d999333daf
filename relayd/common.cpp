#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "commands.hpp"
#include "shared/smtp/reply.hpp"

namespace relayd::command {

std::optional<std::filesystem::path> config_file(const Options& options) {
  if (!options.config.empty()) return options.config;
  if (const char* named = std::getenv("RELAYD_CONFIG"); named && *named) return named;
  std::error_code ignored;
  if (std::filesystem::exists(default_config, ignored)) return default_config;
  for (const char* name : {"RELAYD_PROVIDER", "RELAYD_HOST"})
    if (std::getenv(name)) return std::nullopt;
  return default_config;  // its absence is then said in words
}

namespace {

// The name of a file, too, may hold what a terminal would obey.
void print_escaped(const config::Diagnostic& diagnostic) {
  fmt::print(stderr, "{}\n", smtp::escape(config::to_string(diagnostic), longest_line));
}

}  // namespace

void print(const SetupResult& result) {
  for (const config::Diagnostic& warning : result.warnings) {
    config::Diagnostic marked = warning;
    marked.text = "warning: " + marked.text;
    print_escaped(marked);
  }
  for (const config::Diagnostic& error : result.errors) print_escaped(error);
}

telemetry::Log make_log(const config::Log& settings) {
  using telemetry::Level;
  using telemetry::Log;
  const bool text = settings.format == config::LogFormat::text ||
                    (settings.format == config::LogFormat::automatic && ::isatty(STDERR_FILENO) == 1);
  return Log(
      STDERR_FILENO, text ? Log::Format::text : Log::Format::json, static_cast<Level>(settings.level),
      settings.addresses == config::LogAddresses::masked ? Log::Addresses::masked : Log::Addresses::full);
}

}  // namespace relayd::command
