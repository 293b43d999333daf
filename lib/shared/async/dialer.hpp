// Dialer: how a dialogue gets a Stream to an upstream. net::NetDialer is the real one; tests hand in scripted
// streams.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "shared/async/stream.hpp"

namespace relayd::async {

// What a client demands of the server's TLS, and shows of itself. Equal policies share resumed sessions,
// others never do.
struct TlsPolicy {
  std::string name;  // the name to verify and to send as SNI; an IP literal is verified as such, and not sent
  std::string ca_file;  // PEM; empty: the system's bundle
  bool verify = true;   // false only when the operator wrote `verify: none`
  bool tls1_3_only = false;
  std::vector<std::string>
      pins;  // SHA-256 of SubjectPublicKeyInfo, 32 octets each; the leaf's is one of them
  std::string client_certificate;  // PEM, leaf first; empty: none
  std::string client_key;          // PEM
  std::string account;             // whose connection it is; it changes nothing but which sessions are shared
  auto operator<=>(const TlsPolicy&) const = default;
};

// What DNS is asked for the servers of a domain.
struct ServerQuery {
  enum class Kind { mx, srv } kind = Kind::mx;
  std::string name;      // of the records: a domain, or "_submissions._tcp.example.net"
  std::string own = {};  // of MX: our own name, where mail would come back to (RFC 5321 5.1)
};

struct ServerName {
  std::string host;
  std::uint16_t port = 0;  // 0: the records name none
  bool operator==(const ServerName&) const = default;
};

class Dialer {
 public:
  virtual ~Dialer() = default;

  // Resolves the host, connects to whichever of its addresses answers first (RFC 8305), and returns a clear
  // stream whose start_tls() will follow the policy. Throws IoError: resolve, refused, unreachable,
  // timed_out, tls for an unusable policy, cancelled soon after `stop` was requested.
  virtual Task<std::unique_ptr<Stream>> dial(const std::string& host, std::uint16_t port,
                                             const TlsPolicy& policy, Deadline deadline,
                                             std::stop_token stop) = 0;

  // The servers that DNS names, in the order to try, drawn anew each time; none where there is no such
  // service, or no DNS. Throws IoError: resolve, where DNS gives no answer, or of MX names no host that takes
  // mail; cancelled soon after `stop` was requested.
  virtual Task<std::vector<ServerName>> find_servers(const ServerQuery& /*query*/, Deadline /*deadline*/,
                                                     std::stop_token /*stop*/) {
    co_return std::vector<ServerName>();
  }
  // That server could not be used: for a while the others come first.
  virtual void leave_server(const ServerQuery& /*query*/, const std::string& /*host*/) {}

  // That address of the host let us connect and then refused to talk: for a while the others come first.
  // True: there is another one that has not done so.
  virtual bool leave(const std::string& /*host*/, const std::string& /*address*/) { return false; }
};

}  // namespace relayd::async
