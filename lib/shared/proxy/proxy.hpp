// Proxy: who is asked to connect to a server in our place, by SOCKS5 (RFC 1928) or by HTTP's CONNECT (RFC
// 9110 9.3.6). A plain value, and how it is written.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "shared/base/result.hpp"
#include "shared/base/secret.hpp"

namespace relayd::proxy {

struct Proxy {
  bool socks = false;  // else HTTP
  std::string host;
  std::uint16_t port = 0;
  std::string username;  // empty: it asks for none
  Secret password;
};

// "socks5://HOST:PORT" or "http://HOST:PORT", in front of the host "USER:PASSWORD@", where octets that a URL
// has another use for are %XX. The error is one sentence that shows neither user nor password.
Result<Proxy> parse_proxy(std::string_view text);

// "host:25", "[::1]:25".
std::string endpoint(std::string_view host, std::uint16_t port);

// For a person: "socks5://10.0.0.1:1080".
std::string shown(const Proxy& proxy);

}  // namespace relayd::proxy
