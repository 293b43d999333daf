#include "daemon_address.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "shown.hpp"

namespace relayd::command {

namespace {

// Empty: neither the command line nor the environment names it.
std::string named_socket(const Options& options) {
  if (!options.socket.empty()) return options.socket;
  const char* const named = std::getenv("RELAYD_ADMIN");
  return named ? named : "";
}

}  // namespace

config::Readable readable_config(const Options& options) {
  const config::Environment environment = config::process_environment();
  const std::optional<std::filesystem::path> file = config_file(options);
  if (!file) return config::read_what_can_be(environment);
  config::Demands demands;
  if (options.mail_program && !options.config.empty()) demands.owner = ::getuid();
  return config::read_what_can_be(*file, environment, demands);
}

std::optional<std::string> daemon_address(const Options& options) {
  if (!options.url.empty()) return options.url;
  if (std::string named = named_socket(options); !named.empty()) return named;
  const config::Readable readable = readable_config(options);
  const bool guesses = options.mail_program && options.config.empty();
  if (!readable.hides_daemon || guesses) return readable.config.admin_socket();
  print(readable.errors);
  fmt::print(stderr, "This hides where the daemon is: name its admin socket with --socket PATH\n");
  return std::nullopt;
}

std::string daemon_socket(const Options& options, const config::Config& config) {
  const std::string named = named_socket(options);
  return named.empty() ? config.admin_socket() : named;
}

}  // namespace relayd::command
