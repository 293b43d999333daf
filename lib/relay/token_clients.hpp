// TokenClients: how token servers are reached, and whose tokens a choice of the route logs in with.
//
// Owned by the relay, and outlives the clients that it makes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "relay/token_account.hpp"
#include "relay/token_requests.hpp"
#include "route/router.hpp"
#include "shared/net/dialer.hpp"
#include "shared/proxy/tunnel.hpp"

namespace relayd {

// Of a choice that has `oauth2`.
TokenAccount token_account(const route::Choice& choice);
// Of all that the configuration names.
std::vector<TokenAccount> token_accounts(const route::Router& router);

class TokenClients {
 public:
  TokenClients(net::AsioLoop& loop, std::shared_ptr<net::DnsClient> dns)
      : loop_(loop), dialer_(loop, {}, std::move(dns)) {}

  // `server` was checked.
  std::unique_ptr<http::Client> connect(const TokenServer& server);
  // Authorities are read again by whoever connects from now on.
  void reload() { dialer_.reload(); }

 private:
  async::Dialer& dialer_for(const std::string& proxy);

  net::AsioLoop& loop_;
  net::NetDialer dialer_;
  std::map<std::string, proxy::TunnelDialer> tunnels_;  // by proxy, as the configuration has it
};

}  // namespace relayd
