// What a client demands of a server's certificate: a chain to a trusted authority, the right name, sound keys
// and signatures, and the pin. Used by tls.cpp alone. It remembers nothing: a resumed session is judged
// again.
#pragma once

#include <cstdint>
#include <string>

#include "shared/async/dialer.hpp"

struct ssl_st;

namespace relayd::net {

// Why the peer is refused, in words for the person who can mend it, and the alert that says so to the peer.
struct CertificateProblem {
  std::string text;  // empty: there is none
  std::uint8_t alert = 0;
};

// Judges the chain that the server showed, now or when the session began.
CertificateProblem verify_peer(ssl_st* ssl, const async::TlsPolicy& policy);

}  // namespace relayd::net
