// relayd healthcheck: does the daemon of this configuration answer? For HEALTHCHECK and probes; needs no
// shell.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "commands.hpp"
#include "local_connection.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

constexpr int well = 0, dead = 1, starting = 2;
constexpr std::chrono::seconds patience{5};
constexpr std::size_t longest_answer = 4096;

int failed(const std::string& address, const char* why) {
  fmt::print(stderr, "{}: {}\n", shown(address), why);
  return dead;
}

// What the daemon says in its window. Who may not ask there sees less.
bool is_starting(const std::string& socket) {
  config::Listener window;
  window.unix_path = socket;
  std::optional<LocalConnection> connection = LocalConnection::to(window, patience);
  watch::Request request;
  request.command = "health";
  if (!connection || !connection->send(watch::to_line(request))) return false;
  std::string answer;
  char buffer[256];
  while (answer.size() < longest_answer && answer.find('\n') == std::string::npos) {
    const std::size_t count = connection->receive(buffer);
    if (count == 0) break;
    answer.append(buffer, count);
  }
  const nlohmann::json object = nlohmann::json::parse(answer, nullptr, false);
  return object.is_object() && object.value("health", "") == "starting";
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
  const std::shared_ptr<const config::Config> config = usable_config(options);
  if (!config) return dead;
  const std::vector<config::Listener>& listeners = config->listeners;
  const auto known = std::ranges::find(listeners, "", &config::Listener::inherited);
  if (known == listeners.end())
    return failed(listeners.front().address, "its address is known to the service manager alone");
  const config::Listener& listener = *known;
  std::optional<LocalConnection> connection = LocalConnection::to(listener, patience);
  if (!connection) return failed(listener.address, "nobody answers");
  // A listener with implicit TLS speaks second: that it accepted is all that can be seen without a handshake.
  if (listener.tls != config::TlsMode::implicit) {
    if (!is_greeted(*connection)) return failed(listener.address, "the greeting is not 220");
    connection->send("QUIT\r\n");
  }
  if (!is_starting(config->admin_socket())) return well;
  fmt::print(stderr, "{}: starting, the queue is being read\n", shown(listener.address));
  return starting;
}

}  // namespace relayd::command
