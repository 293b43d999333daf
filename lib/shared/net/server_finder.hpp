// ServerFinder: the servers of a domain, as DNS names them: MX and SRV records.
//
// Owned by NetDialer. Records are kept for their time to live, and used a day longer where DNS gives no
// answer; which servers come last, because they could not be used, is remembered for some minutes (see
// Addresses).
#pragma once

#include <random>
#include <stop_token>
#include <vector>

#include "shared/async/dialer.hpp"
#include "shared/dns/record_cache.hpp"
#include "shared/net/addresses.hpp"
#include "shared/net/dns_client.hpp"

namespace relayd::net {

class ServerFinder {
 public:
  // `dns` outlives this.
  ServerFinder(AsioLoop& loop, DnsClient& dns) : loop_(loop), dns_(dns), random_(std::random_device()()) {}

  // As Dialer::find_servers().
  async::Task<std::vector<async::ServerName>> find(async::ServerQuery query, Deadline deadline,
                                                   std::stop_token stop);
  // As Dialer::leave_server().
  void leave(const async::ServerQuery& query, const std::string& host);

 private:
  async::Task<dns::Told> records(const async::ServerQuery& query, Deadline deadline, std::stop_token stop);
  std::vector<async::ServerName> in_order(const async::ServerQuery& query, dns::Told told);

  AsioLoop& loop_;
  DnsClient& dns_;
  dns::RecordCache cache_;
  Addresses left_;
  std::mt19937 random_;
};

}  // namespace relayd::net
