// Listener: one address of the configuration, its acceptor and its sessions.
//
// First stage of the path; owned by the relay. Counts connections, in all and for each client, and answers
// 421 beyond the limits; a tenth of all is kept for clients on this machine.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "accept/session.hpp"
#include "shared/async/scope.hpp"
#include "shared/net/acceptor.hpp"

namespace relayd::accept {

class Listener {
 public:
  // Shared by all listeners of a relay: the limits are those of the process.
  struct Counts {
    unsigned local = 0;  // clients on this machine
    unsigned others = 0;
    std::map<std::string, unsigned, std::less<>> by_client;
  };

  // Binds; throws net::BindError. `tls` may be null where the listener has none.
  Listener(net::AsioLoop& loop, Surroundings surroundings, std::shared_ptr<const config::Config> config,
           const config::Listener& options, std::shared_ptr<net::TlsServerContext> tls, Counts& counts);

  const std::string& address() const { return acceptor_->address(); }
  bool has_tls() const { return options_->tls != config::TlsMode::none; }
  const async::Handshakes& handshakes() const { return handshakes_; }

  // What sessions that begin from now on go by. `config` must have this listener.
  void use(std::shared_ptr<const config::Config> config, const config::Listener& options,
           std::shared_ptr<net::TlsServerContext> tls);
  void use(std::shared_ptr<net::TlsServerContext> tls) { acceptor_->use(std::move(tls)); }

  // No new connections; each session ends when its transaction does.
  void shut_down();
  // Ends every session now.
  void abort();
  async::Task<void> drained() { return scope_.drained(); }

 private:
  // What a client is told that does not come in.
  std::optional<std::string_view> refusal(const std::string& client);
  bool has_room_for(const std::string& client) const;
  void notice_gateway(const std::string& client);
  async::Task<void> serve(std::unique_ptr<async::Stream> stream);

  async::Handshakes handshakes_;
  Surroundings around_;
  std::shared_ptr<const config::Config> config_;
  const config::Listener* options_;
  Counts& counts_;
  std::string gateway_;  // the default one, as at the start; empty: none, or clients are local anyway
  unsigned through_gateway_ = 0;  // connections from its address, up to the warning
  std::set<Session*> sessions_;
  async::Scope scope_;
  std::unique_ptr<net::Acceptor> acceptor_;
};

}  // namespace relayd::accept
