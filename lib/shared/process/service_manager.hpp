// ServiceManager: tells whoever supervises this process how it stands, as sd_notify(3) has it: datagrams of
// NAME=VALUE lines to the socket that NOTIFY_SOCKET names. Without that variable all of it does nothing.
//
// Nothing here blocks, and nothing fails: what the manager does not take is lost. Made before the process is
// confined; one thread's.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <optional>
#include <string>
#include <string_view>

#include "shared/base/time.hpp"
#include "shared/disk/posix_disk.hpp"

namespace relayd::process {

class ServiceManager {
 public:
  // Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and removes them: they are not for programs that we
  // start.
  ServiceManager();

  bool listens() const { return socket_.number() >= 0; }
  // So long may it hear nothing before it takes the process for dead: alive() is to come twice as often.
  // Nothing: it does not watch.
  std::optional<Duration> watchdog() const { return watchdog_; }

  void ready();
  // The configuration is being read again; ready() ends it.
  void reloading();
  void stopping();
  // For people: one line of `systemctl status`.
  void status(std::string_view text);
  // A start that takes so much longer from now on.
  void extend_start(Duration by);
  void alive();

 private:
  void tell(const std::string& lines);

  disk::Descriptor socket_;  // not open: nobody listens
  sockaddr_un address_{};
  socklen_t size_ = 0;
  std::optional<Duration> watchdog_;
};

}  // namespace relayd::process
