// Admin: the operator's window into a running relay, a unix socket that takes one request a connection.
//
// Beside the path; owned by the relay. A request is a line of JSON (admin_request.hpp), and the Desk answers
// it. Only the daemon's user and root can connect.
#pragma once

#include <memory>
#include <string>

#include "shared/async/scope.hpp"
#include "shared/net/acceptor.hpp"
#include "watch/desk.hpp"

namespace relayd::watch {

class Admin {
 public:
  // Binds; throws net::BindError. The desk outlives this.
  Admin(net::AsioLoop& loop, Desk& desk, const std::string& path);

  // No new requests. Those under way end with their connections.
  void close() { acceptor_->close(); }

 private:
  async::Task<void> serve(std::unique_ptr<async::Stream> stream);
  async::Task<void> answer(async::Stream& stream);

  async::Loop& loop_;
  Desk& desk_;
  async::Scope scope_;
  std::unique_ptr<net::Acceptor> acceptor_;
};

}  // namespace relayd::watch
