// Acceptor: listens on one address and hands over each connection. It never blocks and never spins: when the
// process is out of descriptors, a spare one serves to tell the next client so, and it pauses for a moment.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "shared/async/stream.hpp"
#include "shared/net/asio_loop.hpp"
#include "shared/net/tls.hpp"

namespace relayd::net {

// The address cannot be bound; the text says which and why.
class BindError : public std::runtime_error {
 public:
  BindError(const std::string& text, bool no_such_address = false)
      : std::runtime_error(text), no_such_address_(no_such_address) {}
  // The machine has no such address, or not this family at all.
  bool no_such_address() const { return no_such_address_; }

 private:
  bool no_such_address_;
};

class Acceptor {
 public:
  using OnConnection = std::function<void(std::unique_ptr<async::Stream>)>;
  // Asked of each client, as Stream::peer() has it. Nothing: it comes in; else what it is told, if anything,
  // before the connection is closed. Whoever is sent away costs three system calls and no memory.
  using Refusal = std::function<std::optional<std::string_view>(const std::string& client)>;

  // Binds and listens; throws BindError. `tls` may be null; else accepted streams can start_tls().
  // TCP: `host` is an IP literal, port 0 lets the kernel choose.
  static std::unique_ptr<Acceptor> tcp(AsioLoop& loop, const std::string& host, std::uint16_t port,
                                       std::shared_ptr<TlsServerContext> tls, OnConnection on_connection);
  // Unix: a stale socket file is replaced, a living one is not. Who may connect is up to the directory's
  // mode.
  static std::unique_ptr<Acceptor> unix_socket(AsioLoop& loop, const std::string& path, unsigned mode,
                                               std::shared_ptr<TlsServerContext> tls,
                                               OnConnection on_connection);
  // A socket that the service manager has bound already: its name or number, see inherited_socket().
  static std::unique_ptr<Acceptor> inherited(AsioLoop& loop, const std::string& name,
                                             std::shared_ptr<TlsServerContext> tls,
                                             OnConnection on_connection);
  ~Acceptor();

  // The address that was bound: "127.0.0.1:2525", "unix:/run/relayd/smtp.sock", "fd:smtp".
  const std::string& address() const;
  // The certificates of connections that come from now on.
  void use(std::shared_ptr<TlsServerContext> tls);
  // Of connections that come from now on.
  void refuse(Refusal refusal);
  void close();

 private:
  struct Implementation;
  explicit Acceptor(std::shared_ptr<Implementation> implementation)
      : implementation_(std::move(implementation)) {}
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace relayd::net
