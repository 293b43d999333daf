#include "send/hosts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "send/smtp_transport.hpp"
#include "shared/dns/mail_hosts.hpp"
#include "shared/proxy/proxy.hpp"

namespace relayd::send {

using async::IoError;
using async::IoFault;
using async::Task;

namespace {

// What is asked for, and the TLS of the servers that it names.
struct Question {
  async::ServerQuery query;
  TlsMode tls_mode;
};

std::vector<Question> questions(const Target& target) {
  std::vector<Question> list;
  if (target.mx)
    list.push_back({{async::ServerQuery::Kind::mx, target.host, target.hostname}, target.tls_mode});
  for (const TlsMode mode : target.srv)
    list.push_back(
        {{async::ServerQuery::Kind::srv, dns::submission_service(mode == TlsMode::implicit, target.host)},
         mode});
  return list;
}

Host make_host(const Target& target, const Question& question, const async::ServerName& server) {
  Host host{server.host, server.port != 0 ? server.port : target.port, question.tls_mode, target.tls};
  host.query = question.query;
  host.assured =
      !target.tls.name.empty() || !target.tls.pins.empty() || dns::is_below(server.host, target.host);
  if (host.tls.name.empty()) host.tls.name = server.host;
  return host;
}

}  // namespace

std::string Host::text() const {
  return port == 0 ? name : proxy::endpoint(name, port);
}

std::string why_no_password(const std::string& host, const std::string& domain) {
  return fmt::format(
      "{}, which DNS names for {}, gets no password: DNS may have been deceived. Name it in 'tls_options: "
      "{{name: ...}}', or pin its key; mail waits",
      host, domain);
}

Hosts::Hosts(async::Dialer& dialer, const Target& target) : dialer_(dialer), target_(target), hosts_(1) {
  hosts_.front().name = target.host;
  hosts_.front().port = target.port;
  hosts_.front().tls_mode = target.tls_mode;
  hosts_.front().tls = target.tls;
}

Task<void> Hosts::find(Deadline deadline, std::stop_token stop) {
  const bool named_by_dns = target_.mx || !target_.srv.empty();
  if (found_ || !named_by_dns) co_return;
  std::vector<Host> hosts = co_await look_up(deadline, stop);
  if (target_.login) {
    const std::string first = hosts.front().name;
    std::erase_if(hosts, [](const Host& host) { return !host.assured; });
    if (hosts.empty()) throw IoError(IoFault::tls, why_no_password(first, target_.host));
  }
  if (hosts.size() > most) hosts.resize(most);
  hosts_ = std::move(hosts);
  found_ = true;
}

bool Hosts::leave() {
  if (!found_) return false;
  dialer_.leave_server(now().query, now().name);
  if (at_ + 1 >= hosts_.size()) return false;
  ++at_;
  return true;
}

// One at least. Where one of two services cannot be looked up, the other one does.
Task<std::vector<Host>> Hosts::look_up(Deadline deadline, std::stop_token stop) {
  std::vector<Host> hosts;
  std::optional<IoError> failure;
  const std::vector<Question> list = questions(target_);
  for (const Question& question : list) {
    try {
      const std::vector<async::ServerName> servers =
          co_await dialer_.find_servers(question.query, deadline, stop);
      for (const async::ServerName& server : servers) hosts.push_back(make_host(target_, question, server));
    } catch (const IoError& error) {
      if (error.fault() == IoFault::cancelled) throw;
      failure = error;
    }
  }
  if (!hosts.empty()) co_return hosts;
  if (failure) throw IoError(*failure);
  throw IoError(IoFault::resolve, fmt::format("{} names no server for submission, by {}{}; mail waits",
                                              target_.host, list.front().query.name,
                                              list.size() == 1 ? "" : " and " + list.back().query.name));
}

}  // namespace relayd::send
