#include "local_connection.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace relayd::command {

namespace {

socklen_t fill(sockaddr_storage& storage, const config::Listener& listener) {
  if (!listener.unix_path.empty()) {
    auto& address = reinterpret_cast<sockaddr_un&>(storage);
    address.sun_family = AF_UNIX;
    listener.unix_path.copy(address.sun_path, sizeof address.sun_path - 1);
    return sizeof address;
  }
  if (listener.host.find(':') != std::string::npos) {
    auto& address = reinterpret_cast<sockaddr_in6&>(storage);
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(listener.port);
    ::inet_pton(AF_INET6, listener.host == "::" ? "::1" : listener.host.c_str(), &address.sin6_addr);
    return sizeof address;
  }
  auto& address = reinterpret_cast<sockaddr_in&>(storage);
  address.sin_family = AF_INET;
  address.sin_port = htons(listener.port);
  ::inet_pton(AF_INET, listener.host == "0.0.0.0" ? "127.0.0.1" : listener.host.c_str(), &address.sin_addr);
  return sizeof address;
}

}  // namespace

std::optional<LocalConnection> LocalConnection::to(const config::Listener& listener,
                                                   std::chrono::seconds patience) {
  sockaddr_storage storage{};
  const socklen_t size = fill(storage, listener);
  LocalConnection connection(disk::Descriptor(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)));
  connection.be_patient(patience);
  if (::connect(connection.descriptor(), reinterpret_cast<sockaddr*>(&storage), size) != 0)
    return std::nullopt;
  return connection;
}

void LocalConnection::be_patient(std::chrono::seconds patience) {
  const timeval time{patience.count(), 0};
  ::setsockopt(descriptor(), SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
  ::setsockopt(descriptor(), SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

bool LocalConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(descriptor(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::size_t LocalConnection::receive(std::span<char> buffer) {
  ssize_t count = 0;
  do {
    count = ::recv(descriptor(), buffer.data(), buffer.size(), 0);
  } while (count < 0 && errno == EINTR);
  return static_cast<std::size_t>(std::max<ssize_t>(0, count));
}

}  // namespace relayd::command
