#include "shared/proxy/socks5.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <iterator>

namespace relayd::proxy {

namespace {

constexpr char version = 5, account_version = 1, connect = 1;
constexpr char no_login = 0, by_account = 2, no_method = static_cast<char>(0xff);
constexpr char ipv4 = 1, name = 3, ipv6 = 4;

std::string address_of(const std::string& host) {
  std::array<char, 16> octets{};
  if (::inet_pton(AF_INET, host.c_str(), octets.data()) == 1) return ipv4 + std::string(octets.data(), 4);
  if (::inet_pton(AF_INET6, host.c_str(), octets.data()) == 1) return ipv6 + std::string(octets.data(), 16);
  return std::string{name, static_cast<char>(host.size())} + host;
}

// RFC 1928 6.
std::string_view text_of(std::uint8_t reply) {
  constexpr std::string_view texts[] = {"",
                                        "general failure",
                                        "its rules do not allow that",
                                        "network unreachable",
                                        "host unreachable",
                                        "connection refused",
                                        "time to live expired",
                                        "it knows no CONNECT",
                                        "it knows no such address"};
  return reply < std::size(texts) ? texts[reply] : "unknown reason";
}

}  // namespace

Socks5::Socks5(const Proxy& proxy, std::string_view host, std::uint16_t port)
    : host_(host.substr(0, 255)), port_(port), proxy_(proxy) {
  output_ = proxy.username.empty() ? std::string{version, 1, no_login}
                                   : std::string{version, 2, no_login, by_account};
}

void Socks5::next(State state, std::size_t wants) {
  state_ = state;
  wants_ = wants;
}

void Socks5::fail(std::string text) {
  fault_ = std::move(text);
  next(State::failed, 0);
}

void Socks5::ask() {
  output_ = std::string{version, connect, 0} + address_of(host_) + static_cast<char>(port_ >> 8) +
            static_cast<char>(port_ & 0xff);
  next(State::reply, 4);
}

void Socks5::read_method(std::uint8_t method) {
  const bool has_account = !proxy_.username.empty();
  if (method == no_login) return ask();
  if (method == by_account && has_account) {
    const std::string_view password = proxy_.password.reveal();
    output_ = std::string{account_version, static_cast<char>(proxy_.username.size())} + proxy_.username +
              static_cast<char>(password.size());
    output_ += password;
    return next(State::account, 2);
  }
  const bool demands = static_cast<char>(method) == no_method;
  fail(demands ? (has_account ? "it takes neither no login nor one by password" : "it demands a login")
               : "it chose a login that was not offered");
}

void Socks5::read_reply(std::string_view bytes) {
  const auto reply = static_cast<std::uint8_t>(bytes[1]);
  if (reply != 0) {
    refused_ = true;
    return fail(fmt::format("{} (SOCKS5 reply {})", text_of(reply), reply));
  }
  switch (bytes[3]) {
    case ipv4:
      return next(State::address, 4 + 2);
    case ipv6:
      return next(State::address, 16 + 2);
    case name:
      return next(State::name_size, 1);
    default:
      return fail("its reply has an address of an unknown kind");
  }
}

void Socks5::feed(std::string_view bytes) {
  const char expected = state_ == State::account ? account_version : version;
  const bool has_version = state_ == State::method || state_ == State::account || state_ == State::reply;
  if (has_version && bytes[0] != expected) return fail("what it says is no SOCKS5");
  switch (state_) {
    case State::method:
      return read_method(static_cast<std::uint8_t>(bytes[1]));
    case State::account:
      return bytes[1] == 0 ? ask() : fail("it refuses the user and the password");
    case State::reply:
      return read_reply(bytes);
    case State::name_size:
      return next(State::address, static_cast<std::uint8_t>(bytes[0]) + std::size_t{2});
    case State::address:
      return next(State::open, 0);
    case State::open:
    case State::failed:
      return;
  }
}

}  // namespace relayd::proxy
