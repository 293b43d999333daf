// Url: where an exchange of HTTP goes: an absolute http or https URL (RFC 3986), read strictly.
//
// Pure. What two readers could take for two things is refused, so that what was checked is what is used.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"

namespace relayd::http {

struct Url {
  bool tls = true;
  std::string host;  // in lower case; an IP address in full, IPv6 without brackets
  std::uint16_t port = 443;
  std::string target = "/";  // path and query, as they were written
  std::string authority;     // for the Host field: with the port unless it is the scheme's own
  bool operator==(const Url&) const = default;
};

// At most 4096 octets. The error is one sentence that says what to change; it shows the host at most.
Result<Url> parse_url(std::string_view text);

// "host:port", "[::1]:443": the port always stands there (RFC 9112 3.2.3).
std::string endpoint(const Url& url);

// For a log or a person: without the query, which may hold a secret.
std::string shown(const Url& url);

// Over https, or to loopback as it is written: `localhost` or an address. All else goes in the clear only
// where the operator said that it may.
bool is_secure(const Url& url);

}  // namespace relayd::http
