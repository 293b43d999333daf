#include "relay/webhook_clients.hpp"

#include <string>
#include <utility>
#include <vector>

#include "shared/http/stream_client.hpp"
#include "shared/net/judge.hpp"

namespace relayd {

namespace {

net::Judge judge_with(bool private_networks) {
  return [private_networks](const std::string& host, std::vector<std::string> found) {
    return net::judge(host, std::move(found), private_networks);
  };
}

}  // namespace

WebhookClients::WebhookClients(net::AsioLoop& loop, const std::shared_ptr<net::DnsClient>& dns)
    : loop_(loop),
      public_(loop, judge_with(false), dns),
      private_(loop, judge_with(true), dns),
      proxy_(loop, {}, dns) {}

std::unique_ptr<http::Client> WebhookClients::connect(const config::Webhook& webhook) {
  http::StreamClient::Options options{.url = http::parse_url(webhook.url).value(),
                                      .ca_file = webhook.ca_file};
  net::NetDialer* dialer = webhook.private_network ? &private_ : &public_;
  if (!webhook.proxy.empty()) {
    options.proxy = http::parse_url(webhook.proxy).value();
    dialer = &proxy_;
  }
  return std::make_unique<http::StreamClient>(loop_, *dialer, std::move(options));
}

void WebhookClients::reload() {
  for (net::NetDialer* const dialer : {&public_, &private_, &proxy_}) dialer->reload();
}

}  // namespace relayd
