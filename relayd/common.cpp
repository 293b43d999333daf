#include <fmt/format.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "commands.hpp"
#include "shown.hpp"

namespace relayd::command {

std::optional<std::filesystem::path> config_file(const Options& options) {
  if (!options.config.empty()) return options.config;
  if (const char* named = std::getenv("RELAYD_CONFIG"); named && *named) return named;
  std::error_code hidden;
  if (std::filesystem::exists(default_config, hidden) || hidden) return default_config;
  return std::nullopt;
}

bool starts_by_environment() {
  const auto is_set = [](const char* name) {
    const char* const value = std::getenv(name);
    return value && *value;
  };
  return is_set("RELAYD_PROVIDER") || is_set("RELAYD_HOST");
}

namespace {

// systemd names the journal's socket by device and inode: standard error may be another file by now
// (systemd.exec(5)).
bool is_journal(int descriptor) {
  const char* const named = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (!named || ::fstat(descriptor, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == named;
}

// The name of a file, too, may have characters that a terminal would obey. `priority` is for a journal, as
// the log has it.
void print_escaped(const config::Diagnostic& diagnostic, const char* priority) {
  fmt::print(stderr, "{}{}\n", is_journal(STDERR_FILENO) ? priority : "",
             shown(config::to_string(diagnostic)));
}

}  // namespace

void print(const std::vector<config::Diagnostic>& errors, const std::vector<config::Diagnostic>& warnings) {
  for (const config::Diagnostic& warning : warnings) {
    config::Diagnostic marked = warning;
    marked.text = "warning: " + marked.text;
    print_escaped(marked, "<4>");
  }
  for (const config::Diagnostic& error : errors) print_escaped(error, "<3>");
}

config::Loaded load_config(const Options& options) {
  config::Demands demands{.secrets = false, .variables = false};
  if (options.mail_program && !options.config.empty()) demands.owner = ::getuid();
  const std::optional<std::filesystem::path> file = config_file(options);
  const config::Environment environment = config::process_environment();
  return file ? config::load_file(*file, environment, demands)
              : config::load_environment(environment, demands);
}

std::shared_ptr<const config::Config> usable_config(const Options& options) {
  config::Loaded loaded = load_config(options);
  if (!loaded.config) print(loaded.errors, loaded.warnings);
  return std::move(loaded.config);
}

std::shared_ptr<const config::Config> config_or_default(const Options& options) {
  if (!options.config.empty()) return usable_config(options);
  config::Loaded loaded = load_config(options);
  return loaded.config ? std::move(loaded.config) : std::make_shared<const config::Config>();
}

void forget_variables_of_a_caller() {
  if (::getauxval(AT_SECURE) == 0) return;
  for (const auto& [name, value] : config::process_environment())
    if (name.starts_with("RELAYD_")) ::unsetenv(name.c_str());
}

telemetry::Log make_log(const config::Log& settings) {
  using telemetry::Level;
  using telemetry::Log;
  const bool text = settings.format == config::LogFormat::text ||
                    (settings.format == config::LogFormat::automatic && ::isatty(STDERR_FILENO) == 1);
  Log log(STDERR_FILENO, text ? Log::Format::text : Log::Format::json, static_cast<Level>(settings.level),
          settings.addresses == config::LogAddresses::masked ? Log::Addresses::masked : Log::Addresses::full);
  if (is_journal(STDERR_FILENO)) log.put_priorities();
  return log;
}

}  // namespace relayd::command
