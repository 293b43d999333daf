// Dialer: how a dialogue gets a Stream to an upstream. net::NetDialer is the real one; tests hand in scripted
// streams.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "shared/async/stream.hpp"

namespace relayd::async {

// What a client demands of the server's TLS. Two connections with equal policies may share a context.
struct TlsPolicy {
  std::string name;  // the name to verify and to send as SNI; an IP literal is verified as such, and not sent
  std::string ca_file;  // PEM; empty: the system's bundle
  bool verify = true;   // false only when the operator wrote `verify: none`
  bool tls1_3_only = false;
  auto operator<=>(const TlsPolicy&) const = default;
};

class Dialer {
 public:
  virtual ~Dialer() = default;

  // Resolves the host, tries its addresses in turn, and returns a connected clear stream whose start_tls()
  // will follow the policy. Throws IoError (resolve, refused, unreachable, timed_out, tls for an unusable
  // policy).
  virtual Task<std::unique_ptr<Stream>> dial(const std::string& host, std::uint16_t port,
                                             const TlsPolicy& policy, Deadline deadline) = 0;
};

}  // namespace relayd::async
