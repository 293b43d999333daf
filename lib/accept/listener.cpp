#include "accept/listener.hpp"

#include <fmt/format.h>

#include <vector>

#include "accept/rules.hpp"
#include "shared/net/gateway.hpp"

namespace relayd::accept {

using async::Task;

namespace {

// So many from the gateway's address are hardly the gateway's own.
constexpr unsigned many_through_gateway = 10;

std::unique_ptr<net::Acceptor> make_acceptor(net::AsioLoop& loop, const config::Listener& options,
                                             std::shared_ptr<net::TlsServerContext> tls,
                                             const net::Acceptor::OnConnection& callback) {
  if (!options.inherited.empty())
    return net::Acceptor::inherited(loop, options.inherited, std::move(tls), callback);
  if (!options.unix_path.empty())
    return net::Acceptor::unix_socket(loop, options.unix_path, 0666, std::move(tls), callback);
  return net::Acceptor::tcp(loop, options.host, options.port, std::move(tls), callback);
}

}  // namespace

Listener::Listener(net::AsioLoop& loop, Surroundings surroundings,
                   std::shared_ptr<const config::Config> config, const config::Listener& options,
                   std::shared_ptr<net::TlsServerContext> tls, Counts& counts)
    : around_(surroundings),
      config_(std::move(config)),
      options_(&options),
      counts_(counts),
      gateway_(options.unix_path.empty() ? net::default_gateway() : "") {
  around_.handshakes = &handshakes_;
  acceptor_ = make_acceptor(loop, options, std::move(tls), [this](std::unique_ptr<async::Stream> stream) {
    scope_.spawn(serve(std::move(stream)));
  });
  acceptor_->refuse([this](const std::string& client) { return refusal(client); });
}

void Listener::use(std::shared_ptr<const config::Config> config, const config::Listener& options,
                   std::shared_ptr<net::TlsServerContext> tls) {
  acceptor_->use(std::move(tls));
  config_ = std::move(config);
  options_ = &options;
}

std::optional<std::string_view> Listener::refusal(const std::string& client) {
  notice_gateway(client);
  if (has_room_for(client)) return std::nullopt;
  if (options_->tls == config::TlsMode::implicit) return "";
  return "421 4.7.0 Too many connections, try again later\r\n";
}

// Clients from elsewhere leave a tenth of the connections to those of this machine.
bool Listener::has_room_for(const std::string& client) const {
  const config::Limits& limits = config_->limits;
  const auto entry = counts_.by_client.find(counted_as(client));
  if (entry != counts_.by_client.end() && entry->second >= limits.connections_per_client) return false;
  const unsigned reserve = limits.connections / 10;
  if (!is_local(client) && counts_.others >= limits.connections - reserve) return false;
  return counts_.others + counts_.local < limits.connections;
}

// Behind a published container port everybody comes from the gateway: a rule that lets it in lets all in.
void Listener::notice_gateway(const std::string& client) {
  if (client != gateway_ || ++through_gateway_ < many_through_gateway) return;
  around_.log.warning(
      "clients_share_an_address",
      {{"address", address()},
       {"client", client},
       {"reason",
        "many clients come from the default gateway, so it hides who they are (as a published container "
        "port does): 'allow' cannot tell them apart; 'auth: required' can"}});
  gateway_.clear();
}

Task<void> Listener::serve(std::unique_ptr<async::Stream> stream) {
  const std::string client = counted_as(stream->peer());
  unsigned& of_kind = is_local(stream->peer()) ? counts_.local : counts_.others;
  ++of_kind;
  ++counts_.by_client[client];
  {
    Session session(around_, config_, *options_, std::move(stream));
    sessions_.insert(&session);
    co_await session.run();
    sessions_.erase(&session);
  }
  --of_kind;
  const auto entry = counts_.by_client.find(client);
  if (--entry->second == 0) counts_.by_client.erase(entry);
}

void Listener::shut_down() {
  acceptor_->close();
  const std::vector<Session*> sessions(sessions_.begin(), sessions_.end());
  for (Session* session : sessions)
    if (sessions_.contains(session)) session->shut_down();
}

void Listener::abort() {
  const std::vector<Session*> sessions(sessions_.begin(), sessions_.end());
  for (Session* session : sessions)
    if (sessions_.contains(session)) session->abort();
}

}  // namespace relayd::accept
