#include "shared/http/tunnel.hpp"

#include <fmt/format.h>

#include "shared/base/secret.hpp"
#include "shared/http/request.hpp"
#include "shared/http/response.hpp"

namespace relayd::http {

using async::IoError;
using async::IoFault;
using async::Task;

Task<void> open_tunnel(async::Stream& stream, const std::string& proxy, const std::string& target,
                       const std::string& authorization, Deadline deadline) {
  std::string request = write_connect(target, authorization);
  co_await stream.write(request, deadline);
  wipe(request);
  ResponseParser parser("CONNECT", 0);
  while (parser.state() == ResponseParser::State::incomplete) {
    char octet = 0;
    const std::size_t count = co_await stream.read_some({&octet, 1}, deadline);
    if (count == 0)
      throw IoError(IoFault::closed, fmt::format("{} closed the connection {} its response", proxy,
                                                 parser.begun() ? "amid" : "before"));
    parser.feed({&octet, count});
  }
  if (parser.state() == ResponseParser::State::malformed)
    throw IoError(IoFault::protocol,
                  fmt::format("the response of {} is no HTTP/1.1: {}", proxy, parser.fault()));
  const int status = parser.take().status;
  if (status / 100 != 2)
    throw IoError(IoFault::unreachable,
                  fmt::format("{} answers {} when asked for a tunnel to {}", proxy, status, target));
}

}  // namespace relayd::http
