#include "accept/listener.hpp"

#include <vector>

namespace relayd::accept {

using async::Task;

Listener::Listener(net::AsioLoop& loop, Surroundings surroundings,
                   std::shared_ptr<const config::Config> config, const config::Listener& options,
                   std::shared_ptr<net::TlsServerContext> tls, Counts& counts)
    : around_(surroundings), config_(std::move(config)), options_(&options), counts_(counts) {
  const auto callback = [this](std::unique_ptr<async::Stream> stream) { connected(std::move(stream)); };
  acceptor_ = options.unix_path.empty()
                  ? net::Acceptor::tcp(loop, options.host, options.port, std::move(tls), callback)
                  : net::Acceptor::unix_socket(loop, options.unix_path, 0666, std::move(tls), callback);
}

void Listener::use(std::shared_ptr<const config::Config> config, const config::Listener& options,
                   std::shared_ptr<net::TlsServerContext> tls) {
  acceptor_->use(std::move(tls));
  config_ = std::move(config);
  options_ = &options;
}

void Listener::connected(std::unique_ptr<async::Stream> stream) {
  const config::Limits& limits = config_->limits;
  const auto client = counts_.by_client.find(stream->peer());
  const unsigned of_client = client == counts_.by_client.end() ? 0 : client->second;
  if (counts_.total >= limits.connections || of_client >= limits.connections_per_client)
    scope_.spawn(turn_away(std::move(stream)));
  else
    scope_.spawn(serve(std::move(stream)));
}

Task<void> Listener::serve(std::unique_ptr<async::Stream> stream) {
  const std::string client = stream->peer();
  ++counts_.total;
  ++counts_.by_client[client];
  {
    Session session(around_, config_, *options_, std::move(stream));
    sessions_.insert(&session);
    co_await session.run();
    sessions_.erase(&session);
  }
  --counts_.total;
  const auto entry = counts_.by_client.find(client);
  if (--entry->second == 0) counts_.by_client.erase(entry);
}

Task<void> Listener::turn_away(std::unique_ptr<async::Stream> stream) {
  try {
    if (options_->tls != config::TlsMode::implicit)
      co_await stream->write("421 4.7.0 Too many connections, try again later\r\n",
                             around_.loop.now() + std::chrono::seconds(1));
  } catch (const async::IoError&) {
    // It went by itself.
  }
  stream->close();
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
