// NetDialer: connects to upstreams over TCP, and keeps what their TLS needs: contexts and sessions to resume.
//
// Owned by the relay; sees no SMTP. Upstream names are resolved at each dial, never before. Those that DNS
// names may be many: contexts are kept of so many policies at most.
#pragma once

#include <map>
#include <memory>

#include "shared/async/dialer.hpp"
#include "shared/net/addresses.hpp"
#include "shared/net/asio_loop.hpp"
#include "shared/net/dns_client.hpp"
#include "shared/net/judge.hpp"
#include "shared/net/server_finder.hpp"
#include "shared/net/tls.hpp"

namespace relayd::net {

class NetDialer final : public async::Dialer {
 public:
  // With a judge, what it leaves out of a lookup is not connected to. Without `dns` it asks by one of its
  // own.
  explicit NetDialer(AsioLoop& loop, Judge judge = {}, std::shared_ptr<DnsClient> dns = {});

  async::Task<std::unique_ptr<async::Stream>> dial(const std::string& host, std::uint16_t port,
                                                   const async::TlsPolicy& policy, Deadline deadline,
                                                   std::stop_token stop) override;

  async::Task<std::vector<async::ServerName>> find_servers(const async::ServerQuery& query, Deadline deadline,
                                                           std::stop_token stop) override;
  void leave_server(const async::ServerQuery& query, const std::string& host) override {
    finder_.leave(query, host);
  }

  bool leave(const std::string& host, const std::string& address) override {
    return addresses_.leave(host, address, loop_.now());
  }

  // Forgets the contexts and their sessions.
  void reload() { contexts_.clear(); }

 private:
  static constexpr std::size_t most_contexts = 1000;

  std::shared_ptr<TlsClientContext> context(async::TlsPolicy policy);

  AsioLoop& loop_;
  Judge judge_;
  std::shared_ptr<DnsClient> dns_;
  ServerFinder finder_;
  Addresses addresses_;
  std::map<async::TlsPolicy, std::shared_ptr<TlsClientContext>> contexts_;  // the policies without account
};

}  // namespace relayd::net
