#include "shared/config/network.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace relayd::config {
namespace {

using Address = std::array<std::uint8_t, 16>;

constexpr Address mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr int mapped_bits = 96;
constexpr Address ipv6_loopback{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

std::optional<Address> parse_address(std::string_view text) {
  const std::string copy(text);
  if (copy.find('\0') != std::string::npos) return {};
  Address address = mapped_prefix;
  if (::inet_pton(AF_INET, copy.c_str(), address.data() + 12) == 1) return address;
  if (::inet_pton(AF_INET6, copy.c_str(), address.data()) == 1) return address;
  return {};
}

bool same_prefix(const Address& a, const Address& b, int bits) {
  const int whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin())) return false;
  const int rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

// Of a network too: the bits behind its prefix are zero, so that one with a shorter prefix has no such
// address.
bool is_ipv4(const Address& address) {
  return same_prefix(address, mapped_prefix, mapped_bits);
}

Address masked(Address address, int bits) {
  for (int i = 0; i < 128; ++i)
    if (i >= bits) address[i / 8] &= static_cast<std::uint8_t>(~(0x80 >> (i % 8)));
  return address;
}

}  // namespace

Result<Network> Network::parse(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const std::optional<Address> address = parse_address(host);
  if (!address)
    return Error{fmt::format("'{}' is not an IP address or network (such as 10.0.0.0/8 or ::1)", text)};

  Network network;
  network.address_ = *address;
  if (slash == std::string_view::npos) return network;

  const bool dotted = host.find(':') == std::string_view::npos;
  const std::string_view digits = text.substr(slash + 1);
  int bits = -1;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const int most = dotted ? 32 : 128;
  if (failure != std::errc() || end != digits.data() + digits.size() || bits < 0 || bits > most)
    return Error{fmt::format("'{}': after the slash stands a number from 0 to {}", text, most)};
  network.bits_ = dotted ? mapped_bits + bits : bits;

  network.address_ = masked(*address, network.bits_);
  if (network.address_ != *address)
    return Error{fmt::format("'{}' has bits set after its prefix; the network is {}", text, network.text())};
  return network;
}

bool Network::contains(std::string_view address) const {
  // A link-local peer is reported with its interface, "fe80::1%eth0".
  const std::optional<Address> other = parse_address(address.substr(0, address.find('%')));
  if (!other) return false;
  // "::/0" is every IPv6 address: without this the mapped form would let it hold every IPv4 address too.
  return is_ipv4(*other) == is_ipv4(address_) && same_prefix(*other, address_, bits_);
}

std::string Network::text() const {
  const bool ipv4 = is_ipv4(address_);
  char text[INET6_ADDRSTRLEN] = "";
  if (ipv4)
    ::inet_ntop(AF_INET, address_.data() + 12, text, sizeof text);
  else
    ::inet_ntop(AF_INET6, address_.data(), text, sizeof text);
  if (bits_ == 128) return text;
  return fmt::format("{}/{}", text, ipv4 ? bits_ - mapped_bits : bits_);
}

bool Network::is_loopback() const {
  if (is_ipv4(address_)) return address_[12] == 127;
  return bits_ == 128 && address_ == ipv6_loopback;
}

}  // namespace relayd::config
