// relayd healthcheck: does the daemon of this configuration answer? For HEALTHCHECK and probes; needs no
// shell.
//
// It asks the admin socket, which leaves no line in the log. Who may not ask there, or knows of none, sees
// whether clients are greeted.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.hpp"
#include "daemon_address.hpp"
#include "daemon_connection.hpp"
#include "local_connection.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

using nlohmann::json;

constexpr int well = 0, dead = 1, starting = 2, not_ready = 3;
constexpr std::chrono::seconds patience{5};

int failed(const std::string& address, const char* why) {
  fmt::print(stderr, "{}: {}\n", shown(address), why);
  return dead;
}

// What the daemon says of itself. Nothing: nobody can be asked there.
std::optional<int> asked(const std::string& socket) {
  DaemonConnection daemon(socket, patience);
  if (!daemon.connected()) return std::nullopt;
  watch::Request request;
  request.command = "health";
  std::string line;
  if (!daemon.ask(request) || !daemon.line(line)) return failed(socket, "it does not answer");
  const json answer = parse_answer(line);
  const std::string health = answer.is_object() ? answer.value("health", "") : "";
  if (health == "well") return well;
  if (health == "not_ready") {
    std::vector<std::string> reasons;
    for (const json& reason : answer.value("reasons", json::array())) reasons.push_back(shown(reason.dump()));
    fmt::print(stderr, "{}: not ready: {}\n", shown(socket), fmt::join(reasons, ", "));
    return not_ready;
  }
  if (health != "starting") return failed(socket, "it does not say that it is well");
  fmt::print(stderr, "{}: starting, the queue is being read\n", shown(socket));
  return starting;
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

// One that can be reached from here: a socket that was handed over is known to the service manager alone.
bool has_address(const config::Listener& listener) {
  return !listener.host.empty() || !listener.unix_path.empty();
}

int greeted(const config::Config& config) {
  const auto known = std::ranges::find_if(config.listeners, has_address);
  if (known == config.listeners.end())
    return failed(config.file, "it names no address at which somebody could be asked");
  std::optional<LocalConnection> connection = LocalConnection::to(*known, patience);
  if (!connection) return failed(known->address, "nobody answers");
  // A listener with implicit TLS speaks second: that it accepted is all that can be seen without a handshake.
  if (known->tls == config::TlsMode::implicit) return well;
  if (!is_greeted(*connection)) return failed(known->address, "the greeting is not 220");
  connection->send("QUIT\r\n");
  return well;
}

}  // namespace

int healthcheck(const Options& options) {
  const config::Readable readable = readable_config(options);
  const std::optional<int> health = asked(daemon_socket(options, readable.config));
  if (health) return *health;
  const int found = greeted(readable.config);
  if (found != well) print(readable.errors);
  return found;
}

}  // namespace relayd::command
