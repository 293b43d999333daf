#include "shared/proxy/tunnel.hpp"

#include <fmt/format.h>

#include <array>

#include "shared/base/base64.hpp"
#include "shared/http/tunnel.hpp"
#include "shared/proxy/socks5.hpp"

namespace relayd::proxy {

using async::IoError;
using async::IoFault;
using async::Task;

namespace {

struct Names {
  std::string proxy;
  std::string target;
};

// RFC 7617.
std::string authorization_of(const Proxy& proxy) {
  if (proxy.username.empty()) return {};
  std::string account = fmt::format("{}:{}", proxy.username, proxy.password.reveal());
  std::string value = "Basic " + base64::encode(account);
  wipe(account);
  return value;
}

Task<void> speak_socks(async::Stream& stream, Socks5& client, const Names& names, Deadline deadline) {
  std::array<char, 512> buffer;
  while (client.wants() > 0) {
    std::string output = client.take_output();
    if (!output.empty()) co_await stream.write(output, deadline);
    wipe(output);
    std::size_t count = 0;
    while (count < client.wants()) {
      const std::span<char> room(buffer.data() + count, client.wants() - count);
      const std::size_t more = co_await stream.read_some(room, deadline);
      if (more == 0)
        throw IoError(IoFault::closed,
                      fmt::format("{} closed the connection before it opened a tunnel", names.proxy));
      count += more;
    }
    client.feed({buffer.data(), count});
  }
  if (client.open()) co_return;
  if (client.refused())
    throw IoError(IoFault::unreachable,
                  fmt::format("{} cannot connect to {}: {}", names.proxy, names.target, client.fault()));
  throw IoError(IoFault::protocol, fmt::format("{} opens no tunnel: {}", names.proxy, client.fault()));
}

}  // namespace

Task<void> open_tunnel(async::Stream& stream, const Proxy& proxy, const std::string& host, std::uint16_t port,
                       Deadline deadline) {
  const Names names{"the proxy " + shown(proxy), endpoint(host, port)};
  if (proxy.socks) {
    Socks5 client(proxy, host, port);
    co_await speak_socks(stream, client, names, deadline);
    co_return;
  }
  std::string authorization = authorization_of(proxy);
  co_await http::open_tunnel(stream, names.proxy, names.target, authorization, deadline);
  wipe(authorization);
}

Task<std::unique_ptr<async::Stream>> TunnelDialer::dial(const std::string& host, std::uint16_t port,
                                                        const async::TlsPolicy& policy, Deadline deadline,
                                                        std::stop_token stop) {
  std::unique_ptr<async::Stream> stream;
  try {
    stream = co_await next_.dial(proxy_.host, proxy_.port, policy, deadline, stop);
  } catch (const IoError& error) {
    throw IoError(error.fault(), fmt::format("the proxy {}: {}", shown(proxy_), error.what()));
  }
  const std::stop_callback on_stop(stop, [&stream] { stream->close(); });
  co_await open_tunnel(*stream, proxy_, host, port, deadline);
  co_return stream;
}

}  // namespace relayd::proxy
