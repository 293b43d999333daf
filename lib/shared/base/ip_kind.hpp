// IpKind: what sort of place an IP address is, for whoever connects to addresses that others choose.
//
// Pure. An IPv6 address that stands for an IPv4 address is of the kind of that one: IPv4-mapped, -translated
// and -compatible (RFC 4291 2.5.5, RFC 2765), NAT64 (RFC 6052), 6to4 (RFC 3056).
#pragma once

#include <optional>
#include <string_view>

namespace relayd {

enum class IpKind {
  open,      // anywhere in the Internet
  inside,    // a private network: RFC 1918, RFC 6598, RFC 4193, and what is as little routed
  loopback,  // this machine
  never,     // nobody's to be connected to: link-local, metadata of clouds, unspecified, multicast, reserved
};

// Nothing for what is no IP address in full, as inet_pton(3) reads it. A zone ("fe80::1%eth0") is left out.
std::optional<IpKind> ip_kind(std::string_view address);

}  // namespace relayd
