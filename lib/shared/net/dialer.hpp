// NetDialer: connects to upstreams over TCP. Names are resolved by the system's resolver on a helper thread.
#pragma once

#include <map>
#include <memory>

#include "shared/async/dialer.hpp"
#include "shared/async/workers.hpp"
#include "shared/net/asio_loop.hpp"
#include "shared/net/tls.hpp"

namespace relayd::net {

class NetDialer final : public async::Dialer {
 public:
  NetDialer(AsioLoop& loop, async::Workers& workers) : loop_(loop), workers_(workers) {}

  async::Task<std::unique_ptr<async::Stream>> dial(const std::string& host, std::uint16_t port,
                                                   const async::TlsPolicy& policy,
                                                   Deadline deadline) override;

  // Forgets the contexts, so that changed CA files are read again.
  void reload() { contexts_.clear(); }

 private:
  std::shared_ptr<TlsClientContext> context(const async::TlsPolicy& policy);

  AsioLoop& loop_;
  async::Workers& workers_;
  std::map<async::TlsPolicy, std::shared_ptr<TlsClientContext>> contexts_;
};

}  // namespace relayd::net
