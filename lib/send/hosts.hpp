// Hosts: whom one connection of an upstream may be made to: its host, or those that DNS names for its domain,
// in turn (RFC 5321 5.1).
//
// Owned by the transport. Names from DNS may be false: such a host is assured where it is below the domain
// that the operator wrote, or where he says in `tls_options` whom to expect; no other is given a password
// (RFC 6186 6).
#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "shared/async/dialer.hpp"
#include "shared/smtp/tls_mode.hpp"

namespace relayd::send {

struct Target;

struct Host {
  std::string name;
  std::uint16_t port = 0;
  smtp::TlsMode tls_mode = smtp::TlsMode::starttls;
  async::TlsPolicy tls;
  bool assured = true;            // it is whom the operator means, once its TLS is verified
  async::ServerQuery query = {};  // what named it; without a name: the operator

  std::string text() const;  // "smtp.example.net:587"; a unix socket has no port
};

// Why a host that DNS named for a domain gets no password.
std::string why_no_password(const std::string& host, const std::string& domain);

class Hosts {
 public:
  // Of those that DNS names, one connection is made to so many at most; the next one begins with others.
  static constexpr std::size_t most = 5;

  // Both outlive this.
  Hosts(async::Dialer& dialer, const Target& target);

  // Once; again it does nothing. Throws IoError: resolve, tls where a password could go to none of them, and
  // as Dialer::find_servers().
  async::Task<void> find(Deadline deadline, std::stop_token stop);
  // Of one connection, in the order to try.
  const std::vector<Host>& all() const { return hosts_; }
  // The one to connect to.
  const Host& now() const { return hosts_[at_]; }
  // It could not be used: goes on to the next one. False: there is none.
  bool leave();

 private:
  async::Task<std::vector<Host>> look_up(Deadline deadline, std::stop_token stop);

  async::Dialer& dialer_;
  const Target& target_;
  std::vector<Host> hosts_;  // one at least
  std::size_t at_ = 0;
  bool found_ = false;
};

}  // namespace relayd::send
