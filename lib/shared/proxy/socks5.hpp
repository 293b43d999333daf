// Socks5: a client's half of SOCKS5 (RFC 1928) with a user and a password (RFC 1929), up to the tunnel.
//
// Pure. It asks for octets in exact numbers, so that none of the tunnel's own is ever read: take what is to
// be sent, read as many octets as it wants, feed them, until it wants none. The proxy looks names up.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "shared/proxy/proxy.hpp"

namespace relayd::proxy {

class Socks5 {
 public:
  // For a tunnel to that host, a name of at most 255 octets or an IP literal.
  Socks5(const Proxy& proxy, std::string_view host, std::uint16_t port);

  // What is to be sent now; empty: nothing.
  std::string take_output() { return std::exchange(output_, {}); }
  // How many octets are to be read next; 0: it is over, well or not.
  std::size_t wants() const { return wants_; }
  // Exactly so many.
  void feed(std::string_view bytes);

  bool open() const { return state_ == State::open; }
  // Of one that is over and not open: why. `refused` is the proxy's word about the server, else the proxy
  // speaks no SOCKS5 with us.
  const std::string& fault() const { return fault_; }
  bool refused() const { return refused_; }

 private:
  enum class State { method, account, reply, name_size, address, open, failed };

  void read_method(std::uint8_t method);
  void read_reply(std::string_view bytes);
  void ask();
  void fail(std::string text);
  void next(State state, std::size_t wants);

  std::string host_;
  std::uint16_t port_;
  const Proxy& proxy_;
  State state_ = State::method;
  std::size_t wants_ = 2;
  std::string output_;
  std::string fault_;
  bool refused_ = false;
};

}  // namespace relayd::proxy
