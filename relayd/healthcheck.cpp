// relayd healthcheck: does the daemon of this configuration answer? For HEALTHCHECK and probes; needs no
// shell.
#include <fmt/format.h>

#include <algorithm>

#include "commands.hpp"
#include "local_connection.hpp"

namespace relayd::command {

namespace {

constexpr std::chrono::seconds patience{5};

int failed(const std::string& address, const char* why) {
  fmt::print(stderr, "{}: {}\n", address, why);
  return 1;
}

bool is_greeted(LocalConnection& connection) {
  std::string greeting;
  char buffer[64];
  while (greeting.size() < 3) {
    const std::size_t count = connection.receive(buffer);
    if (count == 0) return false;
    greeting.append(buffer, count);
  }
  return greeting.starts_with("220");
}

}  // namespace

int healthcheck(const Options& options) {
  const SetupResult result = make_setup(config_file(options));
  if (!result.setup) {
    print(result);
    return 1;
  }
  const std::vector<config::Listener>& listeners = result.setup->config->listeners;
  const auto known = std::ranges::find(listeners, "", &config::Listener::inherited);
  if (known == listeners.end())
    return failed(listeners.front().address, "its address is known to the service manager alone");
  const config::Listener& listener = *known;
  std::optional<LocalConnection> connection = LocalConnection::to(listener, patience);
  if (!connection) return failed(listener.address, "nobody answers");
  // A listener with implicit TLS speaks second: that it accepted is all that can be seen without a handshake.
  if (listener.tls == config::TlsMode::implicit) return 0;
  if (!is_greeted(*connection)) return failed(listener.address, "the greeting is not 220");
  connection->send("QUIT\r\n");
  return 0;
}

}  // namespace relayd::command
