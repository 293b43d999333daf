// StreamClient: the Client that speaks HTTP/1.1 over a Stream, with TLS for https.
//
// Owned by whoever sends the requests. It logs nothing. Where it may connect to is the dialer's to judge
// (net/judge.hpp). With a proxy the dialer reaches the proxy, whose address the operator wrote, and the proxy
// looks up the URL's host: then only an address in the URL can be judged, and of these IpKind::never is
// refused.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "shared/async/dialer.hpp"
#include "shared/async/loop.hpp"
#include "shared/http/client.hpp"
#include "shared/http/response.hpp"
#include "shared/http/url.hpp"

namespace relayd::http {

class StreamClient final : public Client {
 public:
  struct Options {
    Url url;
    std::string ca_file = {};       // PEM; empty: the system's bundle
    std::optional<Url> proxy = {};  // asked for a tunnel by CONNECT, in the clear; its target means nothing
    std::size_t most = 8 * 1024;    // octets of a response's body that are kept
  };

  // How long a connection stays open for the next exchange.
  static constexpr Duration idle = std::chrono::seconds(30);

  StreamClient(async::Loop& loop, async::Dialer& dialer, Options options)
      : loop_(loop), dialer_(dialer), options_(std::move(options)), idle_(loop) {}

  // The deadline is that of all of it: looking up, connecting, TLS, request and response. Where a connection
  // that was used before ends without an octet of a response, the request is sent once more over a new one.
  // So a server may get a request twice, as after any lost answer.
  async::Task<Response> exchange(const Request& request, Deadline deadline, std::stop_token stop) override;

 private:
  async::Task<void> connect(Deadline deadline, std::stop_token stop);
  async::Task<void> converse(std::string_view peer, std::string_view request, ResponseParser& parser,
                             Deadline deadline);
  void keep_for_next(const ResponseParser& parser);

  async::Loop& loop_;
  async::Dialer& dialer_;
  Options options_;
  std::unique_ptr<async::Stream> stream_;
  bool surplus_ = false;  // octets came behind the response
  async::Timer idle_;     // closes the stream that nobody uses
};

}  // namespace relayd::http
