#include "relay/token_clients.hpp"

#include <set>

#include "shared/http/stream_client.hpp"
#include "shared/oauth/reply.hpp"

namespace relayd {

TokenAccount token_account(const route::Choice& choice) {
  return {choice.upstream->name, choice.username, *choice.oauth2, choice.upstream->settings->proxy,
          choice.oauth2->ca_file};
}

std::vector<TokenAccount> token_accounts(const route::Router& router) {
  std::vector<TokenAccount> accounts;
  std::set<const config::OAuth2*> seen;
  const auto add = [&](const route::Choice& choice) {
    if (choice.oauth2 && seen.insert(choice.oauth2).second) accounts.push_back(token_account(choice));
  };
  for (const std::vector<route::Choice>& choices : router.choices())
    for (const route::Choice& choice : choices) add(choice);
  return accounts;
}

std::unique_ptr<http::Client> TokenClients::connect(const TokenServer& server) {
  http::StreamClient::Options options{
      .url = http::parse_url(server.url).value(), .ca_file = server.ca_file, .most = oauth::most_body};
  // Only to loopback does a secret go in the clear, and what a proxy takes for loopback is its own.
  async::Dialer& dialer = options.url.tls ? dialer_for(server.proxy) : dialer_;
  return std::make_unique<http::StreamClient>(loop_, dialer, std::move(options));
}

async::Dialer& TokenClients::dialer_for(const std::string& proxy) {
  if (proxy.empty()) return dialer_;
  const auto known = tunnels_.find(proxy);
  if (known != tunnels_.end()) return known->second;
  return tunnels_.try_emplace(proxy, dialer_, proxy::parse_proxy(proxy).value()).first->second;
}

}  // namespace relayd
