// NetDialer: connects to upstreams over TCP, and keeps what their TLS needs: contexts and sessions to resume.
//
// Owned by the relay; sees no SMTP. Upstream names are resolved at each dial, never before.
#pragma once

#include <map>
#include <memory>

#include "shared/async/dialer.hpp"
#include "shared/net/addresses.hpp"
#include "shared/net/asio_loop.hpp"
#include "shared/net/judge.hpp"
#include "shared/net/tls.hpp"

namespace relayd::net {

class NetDialer final : public async::Dialer {
 public:
  // With a judge, what it leaves out of a lookup is not connected to.
  explicit NetDialer(AsioLoop& loop, Judge judge = {}) : loop_(loop), judge_(std::move(judge)) {}

  async::Task<std::unique_ptr<async::Stream>> dial(const std::string& host, std::uint16_t port,
                                                   const async::TlsPolicy& policy, Deadline deadline,
                                                   std::stop_token stop) override;

  bool leave(const std::string& host, const std::string& address) override {
    return addresses_.leave(host, address, loop_.now());
  }

  // Forgets the contexts and their sessions.
  void reload() { contexts_.clear(); }

 private:
  std::shared_ptr<TlsClientContext> context(async::TlsPolicy policy);

  AsioLoop& loop_;
  Judge judge_;
  Addresses addresses_;
  std::map<async::TlsPolicy, std::shared_ptr<TlsClientContext>> contexts_;  // the policies without account
};

}  // namespace relayd::net
