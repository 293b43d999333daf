// LocalConnection: a blocking connection to the daemon of this machine.
//
// Used by the commands that speak SMTP to it, which have nothing else to do meanwhile. Owns its socket. No
// TLS: it is for loopback and unix sockets.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "shared/config/config.hpp"
#include "shared/disk/posix_disk.hpp"

namespace relayd::command {

class LocalConnection {
 public:
  // Nothing when nobody answers there; errno says why. A listener on every address is reached on loopback.
  // `patience` is for each step from then on.
  static std::optional<LocalConnection> to(const config::Listener& listener, std::chrono::seconds patience);

  void be_patient(std::chrono::seconds patience);
  // False: the connection broke, or patience ended, before all of it was on its way.
  bool send(std::string_view bytes);
  // How many octets came; 0: the end, or a failure.
  std::size_t receive(std::span<char> buffer);
  int descriptor() const { return socket_.number(); }

 private:
  explicit LocalConnection(disk::Descriptor socket) : socket_(std::move(socket)) {}
  disk::Descriptor socket_;
};

}  // namespace relayd::command
