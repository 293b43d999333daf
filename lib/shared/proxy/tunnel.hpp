// A tunnel: the proxy at the other end of a stream connects to a server; from then on the stream is the
// server's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shared/async/dialer.hpp"
#include "shared/async/stream.hpp"
#include "shared/proxy/proxy.hpp"

namespace relayd::proxy {

// Reads no octet beyond the proxy's answer: what follows is the server's. Throws IoError, whose text names
// the proxy: unreachable where it cannot, or will not, reach the server; protocol where it speaks otherwise,
// or refuses our login; closed, timed_out.
async::Task<void> open_tunnel(async::Stream& stream, const Proxy& proxy, const std::string& host,
                              std::uint16_t port, Deadline deadline);

// Dials through a proxy, which it reaches by another dialer. The proxy looks the host's name up. TLS, if any,
// is with the host alone, by the policy.
class TunnelDialer final : public async::Dialer {
 public:
  // `next` outlives this.
  TunnelDialer(async::Dialer& next, Proxy proxy) : next_(next), proxy_(std::move(proxy)) {}

  async::Task<std::unique_ptr<async::Stream>> dial(const std::string& host, std::uint16_t port,
                                                   const async::TlsPolicy& policy, Deadline deadline,
                                                   std::stop_token stop) override;

 private:
  async::Dialer& next_;
  Proxy proxy_;
};

}  // namespace relayd::proxy
