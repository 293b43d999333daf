// DnsClient: asks DNS on our loop: addresses of hosts, and records of names (c-ares).
//
// Used by NetDialer, and by look_up_texts(), which runs a loop of its own. Blocks for no answer. Nothing is
// kept here but look-ups under way: who asks for the same meanwhile gets the same answer. Each failure is an
// IoError: resolve, and another attempt may do better.
#pragma once

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "shared/async/task.hpp"
#include "shared/dns/message.hpp"
#include "shared/net/asio_loop.hpp"

namespace relayd::net {

// Those that RELAYD_DNS names, "192.0.2.53 [::1]:5353"; none: the variable is not set.
std::vector<std::string> dns_servers();

struct DnsOptions {
  std::vector<std::string> servers = dns_servers();  // "192.0.2.53", "[::1]:5353"; none: of resolv.conf(5)
  std::chrono::milliseconds timeout{2000};  // of the first round through the servers; doubled by each
  int tries = 3;                            // rounds
  std::string resolv_conf = "/etc/resolv.conf";
};

class DnsClient {
 public:
  // So many look-ups are under way at a time; the others wait for their turn.
  static constexpr std::size_t most_at_once = 64;

  explicit DnsClient(AsioLoop& loop, DnsOptions options = {});
  // When nobody waits for an answer any more.
  ~DnsClient();

  // The addresses of a host as text, in the order to try (RFC 6724); an IP literal is its own. The hosts file
  // (of which c-ares knows another place by CARES_HOSTS), the search list and what else of nsswitch.conf(5)
  // is `files` or `dns` count. Throws IoError: resolve, also when there is no address or the deadline passed;
  // cancelled soon after `stop` was requested.
  async::Task<std::vector<std::string>> addresses(std::string host, Deadline deadline, std::stop_token stop);

  // What DNS says of a name, absolute whether it has a final dot or not: follows CNAMEs where the server does
  // not. Over UDP, and again over TCP what did not fit (RFC 1035 4.2.1). Throws like addresses().
  async::Task<dns::Told> query(std::string name, dns::RecordType type, Deadline deadline,
                               std::stop_token stop);

  // Look-ups that were begun and have no answer yet.
  std::size_t under_way() const;

 private:
  struct Implementation;
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace relayd::net
