// Server: HTTP/1.1 on connections that an acceptor hands over, one request after the other on each (RFC
// 9112).
//
// Beside the path; used by the operator's window. It owns the connections, and asks a handler for each
// answer. Nobody can hold it up: a request has a time to be whole, an answer one for each piece of it to be
// taken, and where there are too many connections, the one that has waited longest for a request goes.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "shared/async/loop.hpp"
#include "shared/async/scope.hpp"
#include "shared/async/stream.hpp"
#include "shared/http/request_parser.hpp"

namespace relayd::http {

// A whole answer. Date, Content-Length and Connection are the server's to say.
struct Answer {
  int status = 200;
  std::vector<Header> headers = {};
  std::string body = {};
};

// A request, and the way its answer goes. Each call may throw async::IoError: the client has gone, or takes
// nothing; the handler lets it pass.
class Exchange {
 public:
  Exchange(async::Loop& loop, async::Stream& stream, const ReceivedRequest& request,
           const std::vector<Header>& always)
      : loop_(loop), stream_(stream), request_(request), always_(always) {}

  const ReceivedRequest& request() const { return request_; }

  // The whole answer; to HEAD without its body.
  async::Task<void> answer(const Answer& answer);

  // An answer that is made while it is sent: begin, any number of writes, end. Without end() the client knows
  // that it is not whole.
  async::Task<void> begin(int status, const std::vector<Header>& headers);
  async::Task<void> write(std::string_view bytes);
  async::Task<void> end();

  bool wants_body() const { return request_.method != "HEAD"; }
  // Ends the connection now.
  void close() { stream_.close(); }

 private:
  friend class Server;

  std::string head(int status, const std::vector<Header>& headers) const;
  async::Task<void> send(std::string_view bytes);

  async::Loop& loop_;
  async::Stream& stream_;
  const ReceivedRequest& request_;
  const std::vector<Header>& always_;
  bool keeps_alive_ = true;
  bool begun_ = false;
  bool whole_ = false;
};

class Server {
 public:
  using Handler = std::function<async::Task<void>(Exchange&)>;

  static constexpr std::size_t most_connections = 128;
  static constexpr std::size_t most_body = 64 * 1024;                // of a request
  static constexpr Duration idle_time = std::chrono::seconds(30);    // until the next request begins
  static constexpr Duration header_time = std::chrono::seconds(10);  // from a request's first octet
  static constexpr Duration body_time = std::chrono::seconds(30);    // likewise
  static constexpr Duration write_time = std::chrono::seconds(10);   // for 64 KiB of an answer

  // `always`: headers of every answer, but for one that says a header of that name itself.
  Server(async::Loop& loop, std::vector<Header> always, Handler handler);

  void take(std::unique_ptr<async::Stream> stream);
  std::size_t connections() const { return scope_.count(); }

 private:
  struct Connection {
    async::Stream& stream;
    std::string rest = {};  // octets behind the last request
    bool is_first = true;
    std::list<Connection*>::iterator waits = {};  // its place among those that wait for a request
    bool is_waiting = false;
  };

  async::Task<void> serve(std::unique_ptr<async::Stream> stream);
  async::Task<void> serve(Connection& connection);
  async::Task<bool> read(Connection& connection, RequestParser& parser);
  async::Task<void> fail(Exchange& exchange, const std::string& failure);
  async::Task<void> refuse(Connection& connection, const RequestParser& parser);
  void wait(Connection& connection, bool waits);

  async::Loop& loop_;
  std::vector<Header> always_;
  Handler handler_;
  std::list<Connection*> waiting_;  // for a request; longest first
  async::Scope scope_;
};

}  // namespace relayd::http
