// Capabilities: what a server offers in its answer to EHLO (RFC 5321 4.1.1.1).
//
// Read by the client dialogue after each EHLO: after STARTTLS and after nothing else counts what came before
// (RFC 3207 4.2). A plain value; an unknown keyword is no error.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "shared/smtp/reply.hpp"

namespace relayd::smtp {

struct Capabilities {
  bool size = false;              // RFC 1870
  std::uint64_t size_limit = 0;   // octets; 0: no fixed limit
  bool pipelining = false;        // RFC 2920
  bool eight_bit_mime = false;    // RFC 6152
  bool smtp_utf8 = false;         // RFC 6531
  bool dsn = false;               // RFC 3461
  bool starttls = false;          // RFC 3207
  bool chunking = false;          // RFC 3030
  bool enhanced_status = false;   // RFC 2034
  bool require_tls = false;       // RFC 8689
  std::vector<std::string> auth;  // RFC 4954, upper case, in the server's order, each once

  bool operator==(const Capabilities&) const = default;
};

// From a positive reply to EHLO. A reply to HELO gives nothing but defaults.
Capabilities parse_capabilities(const Reply& ehlo);

// The lines of such a reply, but for its first: "SIZE 1000", "8BITMIME".
std::vector<std::string> to_lines(const Capabilities& capabilities);

}  // namespace relayd::smtp
