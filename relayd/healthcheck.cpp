// relayd healthcheck: does the daemon of this configuration answer? For HEALTHCHECK and probes; needs no
// shell.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "commands.hpp"

namespace relayd::command {

namespace {

int failed(const std::string& address, const char* why) {
  fmt::print(stderr, "{}: {}\n", address, why);
  return 1;
}

// Blocking, at most five seconds a step: it is a process of its own.
int connect_to(const config::Listener& listener) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  if (!listener.unix_path.empty()) {
    auto& address = reinterpret_cast<sockaddr_un&>(storage);
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, listener.unix_path.c_str(), sizeof address.sun_path - 1);
    size = sizeof address;
  } else if (listener.host.find(':') != std::string::npos) {
    auto& address = reinterpret_cast<sockaddr_in6&>(storage);
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(listener.port);
    inet_pton(AF_INET6, listener.host == "::" ? "::1" : listener.host.c_str(), &address.sin6_addr);
    size = sizeof address;
  } else {
    auto& address = reinterpret_cast<sockaddr_in&>(storage);
    address.sin_family = AF_INET;
    address.sin_port = htons(listener.port);
    inet_pton(AF_INET, listener.host == "0.0.0.0" ? "127.0.0.1" : listener.host.c_str(), &address.sin_addr);
    size = sizeof address;
  }
  const int descriptor = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval patience{5, 0};
  ::setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(descriptor, reinterpret_cast<sockaddr*>(&storage), size) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

}  // namespace

int healthcheck(const Options& options) {
  const SetupResult result = make_setup(config_file(options));
  if (!result.setup) {
    print(result);
    return 1;
  }
  const config::Listener& listener = result.setup->config->listeners.front();
  const int descriptor = connect_to(listener);
  if (descriptor < 0) return failed(listener.address, "nobody answers");
  char greeting[3] = {};
  // A listener with implicit TLS speaks second: that it accepted is all that can be seen without a handshake.
  const bool silent = listener.tls == config::TlsMode::implicit;
  const bool well =
      silent || (::recv(descriptor, greeting, 3, MSG_WAITALL) == 3 && std::memcmp(greeting, "220", 3) == 0);
  if (well && !silent) ::send(descriptor, "QUIT\r\n", 6, MSG_NOSIGNAL);
  ::close(descriptor);
  return well ? 0 : failed(listener.address, "the greeting is not 220");
}

}  // namespace relayd::command
