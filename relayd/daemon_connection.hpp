// DaemonConnection: one question to a running daemon, from the side of the command that asks: to its admin
// socket, or to its window over HTTP, which has the same lines for an answer.
//
// Used by commands that ask the daemon. Blocking: such a process has nothing else to do.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "shared/disk/posix_disk.hpp"
#include "watch/admin_request.hpp"

namespace relayd::command {

class DaemonConnection {
 public:
  // `address`: see daemon_address(). `patience` with each step of a daemon at a socket, or with all of an
  // answer over HTTP; 0: without end, or ten minutes.
  explicit DaemonConnection(std::string address, std::chrono::seconds patience = std::chrono::seconds(0));

  // False: nobody listens at the socket, or we may not ask. A window is connected to when it is asked.
  bool connected() const { return why_.empty(); }
  // False: nobody answers, or no relayd.
  bool ask(const watch::Request& request);
  // What follows the request of an import. To a socket alone.
  bool send(std::string_view bytes);

  // The next line without its '\n'; false: the daemon has gone, or took too long; then why() says so.
  bool line(std::string& out);
  // Copies what follows to standard output: as it is, or as it may be shown.
  bool copy(std::uint64_t octets, bool as_it_is);

  // That no daemon answers there, and what to do.
  const std::string& why() const { return why_; }
  // The same on standard error. The exit status for it.
  int no_answer() const;

 private:
  bool more();
  bool fail(int error);

  std::string address_;
  std::chrono::seconds patience_;
  disk::Descriptor socket_;
  std::string why_;
  std::string received_;
  std::size_t begin_ = 0;
};

// A line or an object that was answered; discarded where it is no JSON. Who answers may be anybody: of what
// is nested more deeply than relayd does it nothing is kept.
nlohmann::json parse_answer(std::string_view text);

// The value of a key as it may be shown; empty when it is not there.
std::string text(const nlohmann::json& object, const char* key);

}  // namespace relayd::command
