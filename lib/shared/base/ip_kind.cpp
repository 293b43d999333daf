#include "shared/base/ip_kind.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>

namespace relayd {
namespace {

using Octets = std::span<const std::uint8_t>;

template <std::size_t size>
struct Network {
  std::array<std::uint8_t, size> prefix;
  int bits;
  IpKind kind;

  bool contains(Octets address) const {
    const auto whole = static_cast<std::size_t>(bits) / 8;
    if (!std::equal(prefix.begin(), prefix.begin() + whole, address.begin())) return false;
    const int rest = bits % 8;
    return rest == 0 || ((prefix[whole] ^ address[whole]) >> (8 - rest)) == 0;
  }
};

// The first that fits counts.
constexpr Network<4> ipv4_networks[] = {
    {{0, 0, 0, 0}, 8, IpKind::never},
    {{100, 100, 100, 200}, 32, IpKind::never},  // metadata of Alibaba Cloud
    {{168, 63, 129, 16}, 32, IpKind::never},    // of Azure
    {{169, 254, 0, 0}, 16, IpKind::never},      // of most others
    {{192, 0, 0, 0}, 24, IpKind::never},        // RFC 6890; metadata of Oracle Cloud
    {{224, 0, 0, 0}, 3, IpKind::never},         // multicast, reserved, broadcast
    {{127, 0, 0, 0}, 8, IpKind::loopback},
    {{10, 0, 0, 0}, 8, IpKind::inside},
    {{100, 64, 0, 0}, 10, IpKind::inside},
    {{172, 16, 0, 0}, 12, IpKind::inside},
    {{192, 168, 0, 0}, 16, IpKind::inside},
    {{198, 18, 0, 0}, 15, IpKind::inside},  // RFC 2544: benchmarks
};

constexpr Network<16> ipv6_networks[] = {
    {{}, 128, IpKind::never},
    {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128, IpKind::loopback},
    {{0xfe, 0x80}, 10, IpKind::never},
    {{0xff}, 8, IpKind::never},
    {{0xfd, 0x00, 0x0e, 0xc2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128, IpKind::never},  // EC2
    {{0xfd, 0x20, 0x00, 0xce, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54}, 128, IpKind::never},  // Google Cloud
    {{0x20, 0x01, 0, 0}, 32, IpKind::never},            // Teredo: leads to whoever is written in it
    {{0xfc}, 7, IpKind::inside},                        // unique local
    {{0xfe, 0xc0}, 10, IpKind::inside},                 // site-local, RFC 3879
    {{0, 0x64, 0xff, 0x9b, 0, 1}, 48, IpKind::inside},  // RFC 8215: NAT64 within a network
};

// Where an IPv4 address stands in an IPv6 address.
struct Embedding {
  Network<16> network;
  std::size_t at;
};
constexpr Embedding embeddings[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96, {}}, 12},  // mapped
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0}, 96, {}}, 12},  // translated
    {{{0, 0x64, 0xff, 0x9b}, 96, {}}, 12},                       // NAT64
    {{{0x20, 0x02}, 16, {}}, 2},                                 // 6to4
    {{{}, 96, {}}, 12},                                          // compatible
};

IpKind kind_in(const auto& networks, Octets address) {
  for (const auto& network : networks)
    if (network.contains(address)) return network.kind;
  return IpKind::open;
}

IpKind ipv6_kind(Octets address) {
  const IpKind kind = kind_in(ipv6_networks, address);
  if (kind != IpKind::open) return kind;
  for (const Embedding& embedding : embeddings)
    if (embedding.network.contains(address)) return kind_in(ipv4_networks, address.subspan(embedding.at, 4));
  return IpKind::open;
}

}  // namespace

std::optional<IpKind> ip_kind(std::string_view address) {
  const std::string text(address.substr(0, address.find('%')));
  std::array<std::uint8_t, 16> octets{};
  if (text.find('\0') != std::string::npos) return {};
  if (::inet_pton(AF_INET, text.c_str(), octets.data()) == 1)
    return kind_in(ipv4_networks, Octets(octets).first(4));
  if (::inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) return ipv6_kind(octets);
  return {};
}

}  // namespace relayd
