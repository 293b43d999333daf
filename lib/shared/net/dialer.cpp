#include "shared/net/dialer.hpp"

#include <fmt/format.h>
#include <netdb.h>

#include <asio/ip/tcp.hpp>
#include <vector>

#include "shared/net/socket.hpp"

namespace relayd::net {

using asio::ip::tcp;
using async::IoError;
using async::IoFault;
using async::Task;

namespace {

// getaddrinfo blocks: call it on a helper thread.
std::vector<tcp::endpoint> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG | AI_NUMERICSERV;
  asio::error_code literal_error;
  if (const auto literal = asio::ip::make_address(host, literal_error); !literal_error)
    return {{literal, port}};
  addrinfo* list = nullptr;
  const int code = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (code != 0)
    throw IoError(IoFault::resolve, fmt::format("cannot resolve {}: {}", host, gai_strerror(code)));
  std::vector<tcp::endpoint> endpoints;
  for (const addrinfo* entry = list; entry; entry = entry->ai_next) {
    tcp::endpoint endpoint;
    if (entry->ai_addrlen > endpoint.capacity()) continue;
    std::memcpy(endpoint.data(), entry->ai_addr, entry->ai_addrlen);
    endpoint.resize(entry->ai_addrlen);
    endpoint.port(port);
    endpoints.push_back(endpoint);
  }
  freeaddrinfo(list);
  if (endpoints.empty()) throw IoError(IoFault::resolve, fmt::format("{} has no address", host));
  return endpoints;
}

std::string text(const tcp::endpoint& endpoint) {
  return endpoint.address().is_v6() ? fmt::format("[{}]:{}", endpoint.address().to_string(), endpoint.port())
                                    : fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
}

struct Attempt {
  std::unique_ptr<Connection::Socket> socket;  // null: it failed
  IoFault fault = IoFault::unreachable;
  std::string text;
};

Task<Attempt> connect(AsioLoop& loop, tcp::endpoint endpoint, Deadline deadline) {
  tcp::socket socket(loop.context());
  async::Timer alarm(loop);
  bool timed_out = false;
  alarm.at(deadline, [&] {
    timed_out = true;
    asio::error_code ignored;
    socket.cancel(ignored);
  });
  asio::error_code opened;
  socket.open(endpoint.protocol(), opened);
  if (opened)
    co_return Attempt{nullptr, IoFault::unreachable, fmt::format("{}: {}", text(endpoint), opened.message())};
  IoAwait wait([&](auto done) { socket.async_connect(endpoint, std::move(done)); });
  const IoResult result = co_await wait;
  if (timed_out)
    co_return Attempt{nullptr, IoFault::timed_out,
                      fmt::format("no answer from {} (is port {} blocked by a firewall?)", text(endpoint),
                                  endpoint.port())};
  if (result.error == asio::error::connection_refused)
    co_return Attempt{nullptr, IoFault::refused, fmt::format("{} refuses connections", text(endpoint))};
  if (result.error)
    co_return Attempt{nullptr, IoFault::unreachable,
                      fmt::format("{}: {}", text(endpoint), result.error.message())};
  asio::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
  auto connected = std::make_unique<Connection::Socket>(
      Connection::Socket{asio::generic::stream_protocol::socket(std::move(socket))});
  co_return Attempt{std::move(connected), IoFault::unreachable, {}};
}

}  // namespace

Task<std::unique_ptr<async::Stream>> NetDialer::dial(const std::string& host, std::uint16_t port,
                                                     const async::TlsPolicy& policy, Deadline deadline) {
  std::shared_ptr<TlsClientContext> tls = context(policy);
  const std::vector<tcp::endpoint> endpoints = co_await workers_.run([&] { return resolve(host, port); });
  Attempt last;
  for (const tcp::endpoint& endpoint : endpoints) {
    last = co_await connect(loop_, endpoint, deadline);
    if (!last.socket) continue;
    auto connection =
        std::make_unique<Connection>(loop_, std::move(last.socket), endpoint.address().to_string());
    connection->use(tls);
    co_return connection;
  }
  throw IoError(last.fault, last.text);
}

std::shared_ptr<TlsClientContext> NetDialer::context(const async::TlsPolicy& policy) {
  auto found = contexts_.find(policy);
  if (found == contexts_.end()) {
    auto made = TlsClientContext::create(policy);
    if (!made) throw IoError(IoFault::tls, made.error());
    found = contexts_.emplace(policy, *made).first;
  }
  return found->second;
}

}  // namespace relayd::net
