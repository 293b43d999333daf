// WebhookClients: how receivers of webhooks are reached, by the configuration of each.
//
// Owned by the relay, and outlives the clients that it makes. Which addresses may be connected to is judged
// after each lookup (net/judge.hpp); of a receiver behind a proxy the proxy's address is the operator's word.
#pragma once

#include <memory>

#include "shared/config/config.hpp"
#include "shared/http/client.hpp"
#include "shared/net/dialer.hpp"

namespace relayd {

class WebhookClients {
 public:
  WebhookClients(net::AsioLoop& loop, const std::shared_ptr<net::DnsClient>& dns);

  // `webhook` was checked.
  std::unique_ptr<http::Client> connect(const config::Webhook& webhook);
  // Authorities are read again by whoever connects from now on.
  void reload();

 private:
  net::AsioLoop& loop_;
  net::NetDialer public_;   // to addresses of the internet, and to what the URL names literally
  net::NetDialer private_;  // to private networks, too
  net::NetDialer proxy_;    // to proxies
};

}  // namespace relayd
