#include "shared/http/stream_client.hpp"

#include <fmt/format.h>

#include <utility>

#include "shared/base/ip_kind.hpp"
#include "shared/base/secret.hpp"
#include "shared/http/request.hpp"
#include "shared/http/tunnel.hpp"
#include "shared/net/judge.hpp"

namespace relayd::http {

using async::IoError;
using async::IoFault;
using async::Task;

namespace {

bool has_ended(const IoError& error) {
  return error.fault() == IoFault::closed || error.fault() == IoFault::reset;
}

// Wipes a buffer when it goes.
class Wiping {
 public:
  explicit Wiping(std::string& text) : text_(text) {}
  ~Wiping() { wipe(text_); }
  Wiping(const Wiping&) = delete;
  Wiping& operator=(const Wiping&) = delete;

 private:
  std::string& text_;
};

}  // namespace

Task<Response> StreamClient::exchange(const Request& request, Deadline deadline, std::stop_token stop) {
  Result<std::string> written = write_request(request, options_.url);
  if (!written) throw IoError(IoFault::protocol, written.error());
  const Secret bytes(std::move(*written));  // it may hold one
  const std::string server = endpoint(options_.url);
  idle_.cancel();
  // Nobody asked for what came meanwhile, so that it is no response to what is asked now.
  if (stream_ && stream_->tls().version.empty() && stream_->has_input()) stream_.reset();
  const std::stop_callback on_stop(stop, [this] {
    if (stream_) stream_->close();
  });
  for (;;) {
    const bool reused = stream_ != nullptr;
    ResponseParser parser(request.method, options_.most);
    try {
      if (!reused) co_await connect(deadline, stop);
      co_await converse(server, bytes.reveal(), parser, deadline);
      keep_for_next(parser);
      co_return parser.take();
    } catch (const IoError& error) {
      stream_.reset();
      if (!reused || parser.begun() || !has_ended(error)) throw;
    }
  }
}

Task<void> StreamClient::connect(Deadline deadline, std::stop_token stop) {
  const Url& url = options_.url;
  if (options_.proxy && ip_kind(url.host)) net::judge(url.host, {url.host}, true);
  const Url& next = options_.proxy ? *options_.proxy : url;
  async::TlsPolicy policy;
  policy.name = url.host;
  policy.ca_file = options_.ca_file;
  stream_ = co_await dialer_.dial(next.host, next.port, policy, deadline, stop);
  if (stop.stop_requested()) throw IoError(IoFault::cancelled, "the connection was closed by us");
  if (options_.proxy) {
    const std::string proxy = "the proxy " + endpoint(*options_.proxy), target = endpoint(url);
    co_await open_tunnel(*stream_, proxy, target, {}, deadline);
    if (stream_->has_input())
      throw IoError(IoFault::protocol, fmt::format("{} sends more than its response", proxy));
  }
  if (!url.tls) co_return;
  co_await stream_->start_tls(deadline);
  if (!stream_->tls().verified)
    throw IoError(IoFault::tls, fmt::format("the certificate of {} was not verified", url.host));
}

// One request to that peer and its response.
Task<void> StreamClient::converse(std::string_view peer, std::string_view request, ResponseParser& parser,
                                  Deadline deadline) {
  surplus_ = false;
  co_await stream_->write(request, deadline);
  std::string buffer(4096, '\0');
  const Wiping wiping(buffer);  // what comes may hold one, too
  while (parser.state() == ResponseParser::State::incomplete) {
    const std::size_t count = co_await stream_->read_some({buffer.data(), buffer.size()}, deadline);
    if (count == 0) {
      parser.end();
      if (parser.state() == ResponseParser::State::complete) co_return;
      throw IoError(IoFault::closed, fmt::format("{} closed the connection {} its response", peer,
                                                 parser.begun() ? "amid" : "before"));
    }
    surplus_ = parser.feed({buffer.data(), count}) < count;
  }
  if (parser.state() == ResponseParser::State::malformed)
    throw IoError(IoFault::protocol,
                  fmt::format("the response of {} is no HTTP/1.1: {}", peer, parser.fault()));
}

void StreamClient::keep_for_next(const ResponseParser& parser) {
  if (!parser.reusable() || surplus_) return stream_.reset();
  idle_.at(loop_.now() + idle, [this] { stream_.reset(); });
}

}  // namespace relayd::http
