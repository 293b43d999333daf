#include "shared/net/acceptor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <asio/basic_socket_acceptor.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/ip/v6_only.hpp>
#include <asio/local/stream_protocol.hpp>

#include "shared/net/inherited.hpp"
#include "shared/net/socket.hpp"

namespace relayd::net {

using asio::generic::stream_protocol;

namespace {
constexpr int backlog = 4096;  // the kernel caps it at net.core.somaxconn
constexpr int at_once = 16;    // before sessions have their turn
constexpr auto pause_when_exhausted = std::chrono::milliseconds(100);

std::string local_peer_text(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  return known ? fmt::format("uid:{}", peer.uid) : "unix";
}

std::string peer_text(const stream_protocol::endpoint& endpoint, int descriptor) {
  if (endpoint.protocol().family() == AF_UNIX) return local_peer_text(descriptor);
  asio::ip::tcp::endpoint address;
  std::memcpy(address.data(), endpoint.data(), std::min(endpoint.size(), address.capacity()));
  if (const auto ip = address.address(); ip.is_v6() && ip.to_v6().is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, ip.to_v6()).to_string();
  return address.address().to_string();
}
}  // namespace

struct Acceptor::Implementation : std::enable_shared_from_this<Implementation> {
  AsioLoop& loop;
  asio::basic_socket_acceptor<stream_protocol> acceptor;
  async::Timer pause;
  std::shared_ptr<TlsServerContext> tls;
  OnConnection on_connection;
  Refusal refusal;
  std::string address;
  std::string unix_path;
  stream_protocol::endpoint peer;
  int spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);

  Implementation(AsioLoop& owner, std::shared_ptr<TlsServerContext> context, OnConnection callback)
      : loop(owner),
        acceptor(owner.context()),
        pause(owner),
        tls(std::move(context)),
        on_connection(std::move(callback)) {}

  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  ~Implementation() {
    if (spare >= 0) ::close(spare);
  }

  void adopt(int descriptor) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&bound), &size) != 0)
      throw BindError(fmt::format("cannot listen on {}: it is no socket", address));
    asio::error_code error;
    acceptor.assign(stream_protocol(bound.ss_family, 0), descriptor, error);
    if (!error) acceptor.non_blocking(true, error);
    if (!error) acceptor.listen(backlog, error);
    if (error) throw BindError(fmt::format("cannot listen on {}: {}", address, error.message()));
    accept();
  }

  // Takes the socket that the service manager has bound to this address. False: there is none.
  bool take_inherited(const stream_protocol::endpoint& endpoint) {
    const std::optional<int> descriptor =
        inherited_socket_at(endpoint.data(), static_cast<socklen_t>(endpoint.size()));
    if (descriptor) adopt(*descriptor);
    return descriptor.has_value();
  }

  void listen(const stream_protocol::endpoint& endpoint) {
    asio::error_code error;
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
    if (!error && endpoint.protocol().family() == AF_INET6)
      acceptor.set_option(asio::ip::v6_only(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.non_blocking(true, error);
    if (!error) acceptor.listen(backlog, error);
    if (error)
      throw BindError(fmt::format("cannot listen on {}: {}{}", address, error.message(), advice(error)),
                      error.value() == EADDRNOTAVAIL || error.value() == EAFNOSUPPORT);
    accept();
  }

  const char* advice(const asio::error_code& error) const {
    if (error == asio::error::access_denied && address.starts_with("unix:"))
      return " (relayd's user may not make a file in its folder)";
    if (error == asio::error::access_denied)
      return " (a port below 1024 needs a socket of the service manager's, CAP_NET_BIND_SERVICE or "
             "net.ipv4.ip_unprivileged_port_start)";
    if (error == asio::error::address_in_use) return " (another mail server is running there)";
    return "";
  }

  void accept() {
    acceptor.async_wait(asio::socket_base::wait_read, [self = shared_from_this()](const asio::error_code&) {
      if (self->acceptor.is_open()) self->take_those_that_wait();
    });
  }

  void take_those_that_wait() {
    for (int count = 0; count < at_once && acceptor.is_open(); ++count) {
      socklen_t size = static_cast<socklen_t>(peer.capacity());
      peer.resize(size);
      const int client =
          ::accept4(acceptor.native_handle(), peer.data(), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (client < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
        spend_the_spare();
        pause.at(loop.now() + pause_when_exhausted, [self = shared_from_this()] { self->accept(); });
        return;
      }
      if (client < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
      if (client < 0) continue;  // it went before it was taken
      peer.resize(size);
      take(client);
    }
    if (acceptor.is_open()) accept();
  }

  void take(int client) {
    std::string who = peer_text(peer, client);
    if (const std::optional<std::string_view> word = refusal ? refusal(who) : std::nullopt) {
      turn_away(client, *word);
      return;
    }
    stream_protocol::socket socket(loop.context());
    asio::error_code error;
    socket.assign(peer.protocol(), client, error);
    if (error) {
      ::close(client);
      return;
    }
    socket.non_blocking(true, error);
    if (peer.protocol().family() != AF_UNIX) socket.set_option(asio::ip::tcp::no_delay(true), error);
    auto connection = std::make_unique<Connection>(
        loop, std::make_unique<Connection::Socket>(Connection::Socket{std::move(socket)}), std::move(who));
    if (tls) connection->use(tls);
    on_connection(std::move(connection));
  }

  // A word that does not fit the buffer is lost; nobody waits for it.
  static void turn_away(int client, std::string_view word) {
    if (!word.empty()) ::send(client, word.data(), word.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::close(client);
  }

  // Out of descriptors: the spare one makes room to tell the client that waits longest.
  void spend_the_spare() {
    if (spare >= 0) ::close(spare);
    const int client = ::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (client >= 0) turn_away(client, "421 4.3.2 Out of resources, try again later\r\n");
    spare = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  }

  void close() {
    pause.cancel();
    asio::error_code ignored;
    acceptor.close(ignored);
    if (!unix_path.empty()) ::unlink(unix_path.c_str());
    unix_path.clear();
  }
};

std::unique_ptr<Acceptor> Acceptor::tcp(AsioLoop& loop, const std::string& host, std::uint16_t port,
                                        std::shared_ptr<TlsServerContext> tls, OnConnection on_connection) {
  auto self = std::make_shared<Implementation>(loop, std::move(tls), std::move(on_connection));
  const bool v6 = host.find(':') != std::string::npos;
  self->address = v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
  asio::error_code error;
  const auto ip = asio::ip::make_address(host, error);
  if (error) throw BindError(fmt::format("cannot listen on {}: not an IP address", self->address));
  const asio::ip::tcp::endpoint endpoint(ip, port);
  if (!self->take_inherited(endpoint)) self->listen(endpoint);
  asio::ip::tcp::endpoint bound;
  const auto local = self->acceptor.local_endpoint();
  std::memcpy(bound.data(), local.data(), local.size());
  self->address = v6 ? fmt::format("[{}]:{}", host, bound.port()) : fmt::format("{}:{}", host, bound.port());
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(self)));
}

std::unique_ptr<Acceptor> Acceptor::unix_socket(AsioLoop& loop, const std::string& path, unsigned mode,
                                                std::shared_ptr<TlsServerContext> tls,
                                                OnConnection on_connection) {
  auto self = std::make_shared<Implementation>(loop, std::move(tls), std::move(on_connection));
  self->address = "unix:" + path;
  if (path.size() >= sizeof(sockaddr_un::sun_path))
    throw BindError(fmt::format("cannot listen on {}: the path is too long", path));
  const asio::local::stream_protocol::endpoint endpoint(path);
  if (self->take_inherited(endpoint)) return std::unique_ptr<Acceptor>(new Acceptor(std::move(self)));
  asio::local::stream_protocol::socket probe(loop.context());
  asio::error_code living;
  probe.connect(endpoint, living);
  if (!living)
    throw BindError(fmt::format("cannot listen on unix:{}: another process is listening there", path));
  struct stat status {};
  if (::lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(path.c_str());
  const mode_t before = ::umask(0777 & ~mode);  // the socket never has another mode, not even for a moment
  try {
    self->listen(endpoint);
  } catch (const BindError&) {
    ::umask(before);
    throw;
  }
  ::umask(before);
  self->unix_path = path;
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(self)));
}

std::unique_ptr<Acceptor> Acceptor::inherited(AsioLoop& loop, const std::string& name,
                                              std::shared_ptr<TlsServerContext> tls,
                                              OnConnection on_connection) {
  auto self = std::make_shared<Implementation>(loop, std::move(tls), std::move(on_connection));
  self->address = "fd:" + name;
  const Result<int> descriptor = inherited_socket(name);
  if (!descriptor) throw BindError(fmt::format("cannot listen on {}: {}", self->address, descriptor.error()));
  self->adopt(*descriptor);
  return std::unique_ptr<Acceptor>(new Acceptor(std::move(self)));
}

Acceptor::~Acceptor() {
  implementation_->close();
}
const std::string& Acceptor::address() const {
  return implementation_->address;
}
void Acceptor::use(std::shared_ptr<TlsServerContext> tls) {
  implementation_->tls = std::move(tls);
}
void Acceptor::refuse(Refusal refusal) {
  implementation_->refusal = std::move(refusal);
}
void Acceptor::close() {
  implementation_->close();
}

}  // namespace relayd::net
