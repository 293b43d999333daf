// TokenRequests: posts forms to token servers, few at a time to each host.
//
// Owned by the TokenKeepers. It logs nothing. Each request has a connection of its own: minutes lie between
// those of one account.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <stop_token>
#include <string>

#include "shared/async/event.hpp"
#include "shared/async/loop.hpp"
#include "shared/async/task.hpp"
#include "shared/base/secret.hpp"
#include "shared/http/client.hpp"
#include "shared/oauth/reply.hpp"

namespace relayd {

// How a token server is reached.
struct TokenServer {
  std::string url;      // https, or http to loopback
  std::string ca_file;  // PEM; empty: the system's bundle
  std::string proxy;    // as an upstream's; empty: none
};

class TokenRequests {
 public:
  // The client keeps oauth::most_body octets of an answer. Throws nothing: `url` was checked.
  using Connect = std::function<std::unique_ptr<http::Client>(const TokenServer& server)>;

  static constexpr Duration patience = std::chrono::seconds(30);
  static constexpr unsigned most_at_once = 4;  // to one host

  TokenRequests(async::Loop& loop, Connect connect) : loop_(loop), connect_(std::move(connect)) {}

  struct Answer {
    oauth::Reply reply;
    http::Response response;  // its header; the body is gone
  };
  // No answer is a Refusal that is temporary. Waits for its turn.
  async::Task<Answer> post(TokenServer server, Secret form, std::stop_token stop);

 private:
  struct Host {
    unsigned under_way = 0;
    std::deque<async::Event*> waiting;
  };
  async::Task<http::Response> exchange(const TokenServer& server, const Secret& form, std::stop_token stop);

  async::Loop& loop_;
  Connect connect_;
  std::map<std::string, Host> hosts_;
};

}  // namespace relayd
