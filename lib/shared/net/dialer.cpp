#include "shared/net/dialer.hpp"

#include "shared/net/connect.hpp"

namespace relayd::net {

using async::IoError;
using async::IoFault;
using async::Task;

NetDialer::NetDialer(AsioLoop& loop, Judge judge, std::shared_ptr<DnsClient> dns)
    : loop_(loop),
      judge_(std::move(judge)),
      dns_(dns ? std::move(dns) : std::make_shared<DnsClient>(loop)),
      finder_(loop, *dns_) {}

Task<std::vector<async::ServerName>> NetDialer::find_servers(const async::ServerQuery& query,
                                                             Deadline deadline, std::stop_token stop) {
  return finder_.find(query, deadline, std::move(stop));
}

Task<std::unique_ptr<async::Stream>> NetDialer::dial(const std::string& host, std::uint16_t port,
                                                     const async::TlsPolicy& policy, Deadline deadline,
                                                     std::stop_token stop) {
  if (host.starts_with(unix_prefix)) co_return connect_unix(loop_, host);
  TlsClient tls{context(policy), {host, port, policy.account}};
  std::vector<std::string> found = co_await dns_->addresses(host, deadline, stop);
  if (judge_) found = judge_(host, std::move(found));
  std::vector<std::string> ordered = addresses_.in_order(host, interleave(found), loop_.now());
  std::unique_ptr<Connection> connection =
      co_await connect(loop_, host, std::move(ordered), port, deadline, stop);
  connection->use(std::move(tls));
  co_return connection;
}

std::shared_ptr<TlsClientContext> NetDialer::context(async::TlsPolicy policy) {
  policy.account.clear();
  if (contexts_.size() >= most_contexts) contexts_.clear();
  std::shared_ptr<TlsClientContext>& context = contexts_[policy];
  if (context && context->current()) return context;
  Result<std::shared_ptr<TlsClientContext>> made = TlsClientContext::create(policy);
  if (!made) throw IoError(IoFault::tls, made.error());
  return context = *made;
}

}  // namespace relayd::net
