#include "shared/net/connect.hpp"

#include <fmt/format.h>

#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <deque>
#include <optional>

#include "shared/net/socket.hpp"

namespace relayd::net {

using asio::ip::tcp;
using async::IoError;
using async::IoFault;
using async::Task;
using namespace std::chrono_literals;

namespace {

constexpr auto head_start = 250ms;  // RFC 8305 5: the recommended Connection Attempt Delay

// The attempts of one dial. Stays where it is until the last attempt has ended.
class Race {
 public:
  Race(AsioLoop& loop, const std::vector<std::string>& addresses, std::uint16_t port)
      : loop_(loop), addresses_(addresses), port_(port), next_start_(loop) {}

  // Starts attempts until one is under way, none is left, or the race is over.
  void start_next() {
    next_start_.cancel();
    while (!over_ && sockets_.size() < addresses_.size()) {
      if (!start(sockets_.size())) continue;
      if (sockets_.size() < addresses_.size())
        next_start_.at(loop_.now() + head_start, [this] { start_next(); });
      return;
    }
    if (under_way_ == 0) ended_.set();
  }

  // Ends what is under way, the winner excepted.
  void stop() {
    over_ = true;
    next_start_.cancel();
    asio::error_code ignored;
    for (std::size_t i = 0; i < sockets_.size(); ++i)
      if (winner_ != i) sockets_[i].close(ignored);
  }

  async::Event& ended() { return ended_; }
  // Null: there is none.
  tcp::socket* winner() { return winner_ ? &sockets_[*winner_] : nullptr; }
  // "192.0.2.1: Connection refused; 2001:db8::1: Network is unreachable"
  const std::string& failures() const { return failures_; }
  bool refused() const { return refused_; }

 private:
  // False: it failed at once.
  bool start(std::size_t attempt) {
    tcp::socket& socket = sockets_.emplace_back(loop_.context());
    asio::error_code error;
    const tcp::endpoint endpoint(asio::ip::make_address(addresses_[attempt], error), port_);
    if (!error) socket.open(endpoint.protocol(), error);
    if (error) {
      note(attempt, error);
      return false;
    }
    ++under_way_;
    socket.async_connect(endpoint, [this, attempt](const asio::error_code& result) { end(attempt, result); });
    return true;
  }

  void end(std::size_t attempt, const asio::error_code& error) {
    --under_way_;
    if (!over_ && !error) {
      winner_ = attempt;
      stop();
    } else if (!over_) {
      note(attempt, error);
    }
    start_next();
  }

  void note(std::size_t attempt, const asio::error_code& error) {
    refused_ = refused_ || error == asio::error::connection_refused;
    failures_ += fmt::format("{}{}: {}", failures_.empty() ? "" : "; ", addresses_[attempt], error.message());
  }

  AsioLoop& loop_;
  const std::vector<std::string>& addresses_;
  const std::uint16_t port_;
  std::deque<tcp::socket> sockets_;  // of the addresses tried so far
  async::Timer next_start_;
  async::Event ended_;
  std::string failures_;
  std::optional<std::size_t> winner_;
  std::size_t under_way_ = 0;
  bool refused_ = false;
  bool over_ = false;
};

std::unique_ptr<Connection> connection_on(AsioLoop& loop, tcp::socket& socket, const std::string& address) {
  asio::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.set_option(asio::socket_base::keep_alive(true), ignored);
  socket.non_blocking(true, ignored);
  return std::make_unique<Connection>(loop,
                                      std::make_unique<Connection::Socket>(Connection::Socket{
                                          asio::generic::stream_protocol::socket(std::move(socket))}),
                                      address);
}

}  // namespace

// It does not wait: a unix socket is connected at once, or its queue is full (EAGAIN).
std::unique_ptr<Connection> connect_unix(AsioLoop& loop, const std::string& address) {
  using asio::local::stream_protocol;
  stream_protocol::socket socket(loop.context());
  asio::error_code error;
  socket.open({}, error);
  if (!error) socket.non_blocking(true, error);
  if (!error) socket.connect(stream_protocol::endpoint(address.substr(unix_prefix.size())), error);
  if (error)
    throw IoError(error == asio::error::connection_refused ? IoFault::refused : IoFault::unreachable,
                  fmt::format("cannot connect to {}: {}", address, error.message()));
  return std::make_unique<Connection>(loop,
                                      std::make_unique<Connection::Socket>(Connection::Socket{
                                          asio::generic::stream_protocol::socket(std::move(socket))}),
                                      "unix");
}

Task<std::unique_ptr<Connection>> connect(AsioLoop& loop, std::string host,
                                          std::vector<std::string> addresses, std::uint16_t port,
                                          Deadline deadline, std::stop_token stop) {
  const SteadyTime begun = loop.now();
  bool timed_out = false;
  Race race(loop, addresses, port);
  async::Timer limit(loop);
  limit.at(deadline, [&race, &timed_out] {
    timed_out = true;
    race.stop();
  });
  race.start_next();
  const std::stop_callback on_stop(stop, [&race] { race.stop(); });
  async::Event& ended = race.ended();
  co_await ended;
  if (stop.stop_requested()) throw IoError(IoFault::cancelled, "the connection was closed by us");
  if (tcp::socket* winner = race.winner()) {
    asio::error_code ignored;
    co_return connection_on(loop, *winner, winner->remote_endpoint(ignored).address().to_string());
  }
  const std::string others = race.failures().empty() ? "" : fmt::format(" ({})", race.failures());
  if (timed_out)
    throw IoError(IoFault::timed_out,
                  fmt::format("no answer from {} port {} within {} s: the port looks blocked{}", host, port,
                              std::chrono::round<std::chrono::seconds>(deadline - begun).count(), others));
  throw IoError(race.refused() ? IoFault::refused : IoFault::unreachable,
                fmt::format("cannot connect to {} port {}: {}", host, port, race.failures()));
}

}  // namespace relayd::net
