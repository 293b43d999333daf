#include "examine.hpp"

#include <unistd.h>

#include "relay/token_clients.hpp"
#include "relay/token_keepers.hpp"
#include "shared/async/scope.hpp"
#include "shared/disk/posix_disk.hpp"
#include "shared/net/asio_loop.hpp"
#include "shared/net/dialer.hpp"

namespace relayd::command {

namespace {

async::Task<void> run(Doctor& doctor, const std::shared_ptr<const route::Router>& router,
                      const DoctorOrder& order, std::vector<watch::Finding>& findings, TokenKeepers& keepers,
                      net::AsioLoop& loop) {
  async::Task<std::vector<watch::Finding>> examining = doctor.examine(router, order);
  findings = co_await examining;
  keepers.shut_down();
  co_await keepers.drained();
  loop.stop();
}

// Only who keeps the refresh token may use it: a server may take each but once.
bool is_sign_in(const config::OAuth2& oauth2) {
  return oauth2.grant == config::OAuth2Grant::refresh_token && oauth2.token_command.empty();
}

}  // namespace

std::vector<watch::Finding> examine(const std::shared_ptr<const route::Router>& router,
                                    const DoctorOrder& order,
                                    const std::function<send::Tokens*(const route::Choice&)>& signed_in) {
  net::AsioLoop loop;
  telemetry::Log log(STDERR_FILENO, telemetry::Log::Format::text, telemetry::Level::error,
                     telemetry::Log::Addresses::full);
  const auto dns = std::make_shared<net::DnsClient>(loop);
  net::NetDialer dialer(loop, {}, dns);
  disk::PosixDisk disk;  // of sign-ins, which nobody asks for here
  TokenClients clients(loop, dns);
  TokenKeepers keepers(loop, log, disk, [&](const TokenServer& server) { return clients.connect(server); });
  std::vector<watch::Finding> findings;
  async::Scope scope;
  async::Workers workers(loop, 4);  // the last: it goes before those who wait for it
  const auto resolve = [&dns](const std::string& host, Deadline deadline, std::stop_token stop) {
    return dns->addresses(host, deadline, std::move(stop));
  };
  const auto tokens_of = [&](const route::Choice& choice) -> send::Tokens* {
    if (send::Tokens* const tokens = signed_in ? signed_in(choice) : nullptr) return tokens;
    return is_sign_in(*choice.oauth2) ? nullptr : &keepers.of(token_account(choice));
  };
  Doctor doctor({loop, workers, dialer, resolve, tokens_of});
  scope.spawn(run(doctor, router, order, findings, keepers, loop));
  loop.run();
  return findings;
}

}  // namespace relayd::command
