// Server: a fake of one provider on one address, with a Dialogue for each connection.
//
// Beside the path; owned by `relayd sandbox`. Its memory is bounded: so many connections, and of a message no
// more than the provider takes.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "fake/dialogue.hpp"
#include "shared/async/scope.hpp"
#include "shared/net/acceptor.hpp"
#include "shared/smtp/line_buffer.hpp"
#include "shared/smtp/tls_mode.hpp"

namespace relayd::fake {

class Server {
 public:
  // Listens at once; throws net::BindError. `part` outlives it. `tls` is starttls or implicit.
  Server(net::AsioLoop& loop, Part& part, const std::string& host, std::uint16_t port, smtp::TlsMode tls,
         std::shared_ptr<net::TlsServerContext> certificate);

  const std::string& address() const { return acceptor_->address(); }
  // No new connections; those that are there end now.
  void shut_down();
  async::Task<void> drained() { return scope_.drained(); }

 private:
  async::Task<void> serve(std::unique_ptr<async::Stream> stream);
  async::Task<void> converse(async::Stream& stream);
  async::Task<std::string> receive(async::Stream& stream, smtp::LineBuffer& input, std::uint64_t& octets);
  Deadline patience() const;

  net::AsioLoop& loop_;
  Part& part_;
  smtp::TlsMode tls_;
  std::set<async::Stream*> streams_;
  async::Scope scope_;
  std::unique_ptr<net::Acceptor> acceptor_;
};

}  // namespace relayd::fake
