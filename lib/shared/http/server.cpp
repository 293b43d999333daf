#include "shared/http/server.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace relayd::http {

using async::Task;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t piece = 64 * 1024;
constexpr std::size_t most_drained = 256 * 1024;  // of what a client still sends to whom it was refused
constexpr Duration drain_time = 1s;

}  // namespace

// --- Exchange ---

std::string Exchange::head(int status, const std::vector<Header>& headers) const {
  const std::time_t now =
      std::chrono::floor<std::chrono::seconds>(loop_.wall_now()).time_since_epoch().count();
  std::string out =
      fmt::format("HTTP/1.1 {} \r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", status, fmt::gmtime(now));
  const auto is_said = [&headers](const Header& header) {
    return std::ranges::find(headers, header.name, &Header::name) != headers.end();
  };
  for (const Header& header : always_)
    if (!is_said(header)) out += fmt::format("{}: {}\r\n", header.name, header.value);
  for (const Header& header : headers) out += fmt::format("{}: {}\r\n", header.name, header.value);
  if (!keeps_alive_) out += "Connection: close\r\n";
  return out;
}

Task<void> Exchange::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    co_await stream_.write(part, loop_.now() + Server::write_time);
    bytes.remove_prefix(part.size());
  }
}

Task<void> Exchange::answer(const Answer& answer) {
  begun_ = true;
  std::string out = head(answer.status, answer.headers);
  if (answer.status != 204) out += fmt::format("Content-Length: {}\r\n", answer.body.size());
  out += "\r\n";
  std::string_view body = request_.method == "HEAD" ? std::string_view() : answer.body;
  if (body.size() <= piece) {  // one write; to copy more would take longer than another
    out += body;
    body = {};
  }
  co_await send(out);
  co_await send(body);
  whole_ = true;
}

Task<void> Exchange::begin(int status, const std::vector<Header>& headers) {
  begun_ = true;
  if (request_.is_http_1_0) keeps_alive_ = false;
  const char* const framing = request_.is_http_1_0 ? "" : "Transfer-Encoding: chunked\r\n";
  const std::string out = head(status, headers) + framing + "\r\n";
  co_await send(out);
}

Task<void> Exchange::write(std::string_view bytes) {
  if (bytes.empty() || request_.method == "HEAD") co_return;
  if (request_.is_http_1_0) {
    co_await send(bytes);
    co_return;
  }
  const std::string out = fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
  co_await send(out);
}

Task<void> Exchange::end() {
  if (request_.method != "HEAD" && !request_.is_http_1_0) co_await send("0\r\n\r\n");
  whole_ = true;
}

// --- Server ---

Server::Server(async::Loop& loop, std::vector<Header> always, Handler handler)
    : loop_(loop), always_(std::move(always)), handler_(std::move(handler)) {}

void Server::take(std::unique_ptr<async::Stream> stream) {
  if (scope_.count() >= most_connections) {
    if (waiting_.empty()) return stream->close();
    Connection& oldest = *waiting_.front();
    wait(oldest, false);
    oldest.stream.close();
  }
  scope_.spawn(serve(std::move(stream)));
}

void Server::wait(Connection& connection, bool waits) {
  if (connection.is_waiting == waits) return;
  connection.is_waiting = waits;
  if (waits)
    connection.waits = waiting_.insert(waiting_.end(), &connection);
  else
    waiting_.erase(connection.waits);
}

Task<void> Server::serve(std::unique_ptr<async::Stream> stream) {
  Connection connection{*stream};
  try {
    co_await serve(connection);
  } catch (const async::IoError&) {
    // The client has gone, or is too slow.
  }
  wait(connection, false);
  stream->close();
}

Task<void> Server::serve(Connection& connection) {
  bool goes_on = true;
  while (goes_on) {
    RequestParser parser(most_body);
    const bool is_whole = co_await read(connection, parser);
    if (!is_whole) co_return;
    if (parser.state() == RequestParser::State::malformed) {
      co_await refuse(connection, parser);
      co_return;
    }
    const ReceivedRequest request = parser.take();
    Exchange exchange(loop_, connection.stream, request, always_);
    exchange.keeps_alive_ = request.keeps_alive;
    std::string failure;
    try {
      co_await handler_(exchange);
    } catch (const async::IoError&) {
      throw;
    } catch (const std::exception& error) {
      failure = error.what();
    }
    // A fault of ours costs this answer, and not the mail.
    if (!failure.empty()) {
      co_await fail(exchange, failure);
      co_return;
    }
    goes_on = exchange.whole_ && exchange.keeps_alive_;
    connection.is_first = false;
    // Requests that came together take turns with everything else.
    if (!connection.rest.empty()) co_await async::sleep_until(loop_, loop_.now());
  }
}

Task<void> Server::fail(Exchange& exchange, const std::string& failure) {
  if (exchange.begun_) co_return;
  exchange.keeps_alive_ = false;
  const Answer answer{500, {{"Content-Type", "text/plain"}}, "this is a fault of relayd: " + failure + "\n"};
  co_await exchange.answer(answer);
}

// True: the parser has come to an end. False: the client has.
Task<bool> Server::read(Connection& connection, RequestParser& parser) {
  const SteadyTime idle = loop_.now() + (connection.is_first ? header_time : idle_time);
  SteadyTime began{};
  bool continued = false;
  std::string buffer;
  wait(connection, true);
  while (parser.state() == RequestParser::State::incomplete) {
    if (connection.rest.empty()) {
      if (parser.awaits_continue() && !continued) {
        continued = true;
        co_await connection.stream.write("HTTP/1.1 100 Continue\r\n\r\n", loop_.now() + write_time);
      }
      buffer.resize(8 * 1024);
      const SteadyTime until = !parser.begun() ? idle : began + (parser.in_body() ? body_time : header_time);
      const std::size_t count = co_await connection.stream.read_some(buffer, until);
      if (count == 0) co_return false;
      connection.rest.assign(buffer, 0, count);
    }
    if (!parser.begun()) began = loop_.now();
    connection.rest.erase(0, parser.feed(connection.rest));
  }
  wait(connection, false);
  co_return true;
}

// What comes behind a request that cannot be read is nobody's request.
Task<void> Server::refuse(Connection& connection, const RequestParser& parser) {
  const ReceivedRequest none;
  Exchange exchange(loop_, connection.stream, none, always_);
  exchange.keeps_alive_ = false;
  const Answer answer{parser.status(),
                      {{"Content-Type", "application/json"}},
                      fmt::format("{{\"error\":\"the request cannot be read: {}\"}}\n", parser.fault())};
  co_await exchange.answer(answer);
  // A connection that is closed over octets that nobody has read is reset, and the answer may be lost.
  std::string buffer(8 * 1024, '\0');
  const SteadyTime until = loop_.now() + drain_time;
  std::size_t count = 1;
  for (std::size_t drained = 0; count > 0 && drained < most_drained; drained += count)
    count = co_await connection.stream.read_some(buffer, until);
}

}  // namespace relayd::http
