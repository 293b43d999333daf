#include "shared/http/server.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "support/manual_loop.hpp"
#include "support/scripted_stream.hpp"

namespace relayd::http {
namespace {

using async::Task;
using test::ManualLoop;
using test::ScriptedPeer;
using test::Side;
using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class HttpServer : public testing::Test {
 protected:
  // A client that says these lines, and no more.
  ScriptedPeer& client(const std::string& lines) {
    clients.emplace_back(loop, test::make_script(Side::client, lines));
    return clients.back();
  }
  // Goes on until nothing happens any more.
  void serve(ScriptedPeer& peer) {
    server.take(peer.connect());
    run([&peer] { return peer.closed(); });
  }
  void run(const std::function<bool()>& done) { test::drive(loop, done); }

  ManualLoop loop;
  std::deque<ScriptedPeer> clients;
  std::vector<std::string> asked;
  Answer answer{200, {{"X", "y"}}, "hello"};
  Server server{loop, {{"Always", "here"}}, [this](Exchange& exchange) { return handle(exchange); }};

 private:
  Task<void> handle(Exchange& exchange) {
    asked.push_back(exchange.request().method + " " + exchange.request().target + " " +
                    exchange.request().body);
    if (exchange.request().target == "/fault") throw std::out_of_range("fault");
    if (exchange.request().target == "/stream") {
      const std::vector<Header> headers = {{"X", "z"}};
      co_await exchange.begin(200, headers);
      co_await exchange.write("one");
      co_await exchange.write("");
      co_await exchange.write("twotwotwotwotwo!");
      co_await exchange.end();
    } else {
      co_await exchange.answer(answer);
    }
  }
};

constexpr const char* get = "C: GET / HTTP/1.1\nC: Host: a\nC:\n";

TEST_F(HttpServer, AnswersWithItsHeaders) {
  ScriptedPeer& peer = client(std::string(get) + "CLOSE");
  serve(peer);
  EXPECT_THAT(peer.written(), StartsWith("HTTP/1.1 200 \r\nDate: "));
  EXPECT_THAT(peer.written(), HasSubstr(" GMT\r\nAlways: here\r\nX: y\r\nContent-Length: 5\r\n\r\nhello"));
}

TEST_F(HttpServer, AnswersAtLengthToo) {
  ScriptedPeer& peer = client(std::string(get) + get + "CLOSE");
  for (int i = 0; i < 40'000; ++i) answer.body += std::to_string(i);
  serve(peer);
  const std::string end = fmt::format("Content-Length: {}\r\n\r\n{}", answer.body.size(), answer.body);
  EXPECT_THAT(peer.written(), HasSubstr(end + "HTTP/1.1 200 \r\n"));
  EXPECT_THAT(peer.written(), EndsWith(end));
}

TEST_F(HttpServer, AnAnswerMaySayAHeaderOfAllItself) {
  answer.headers = {{"Always", "mine"}};
  ScriptedPeer& peer = client(std::string(get) + "CLOSE");
  serve(peer);
  EXPECT_THAT(peer.written(), HasSubstr(" GMT\r\nAlways: mine\r\nContent-Length"));
}

TEST_F(HttpServer, AnswersHeadWithoutABody) {
  ScriptedPeer& peer =
      client("C: HEAD / HTTP/1.1\nC: Host: a\nC:\nC: HEAD /stream HTTP/1.1\nC: Host: a\nC:\nCLOSE");
  serve(peer);
  EXPECT_THAT(peer.written(), HasSubstr("Content-Length: 5\r\n\r\nHTTP/1.1 200 \r\n"));
  EXPECT_THAT(peer.written(), EndsWith("Transfer-Encoding: chunked\r\n\r\n"));
}

TEST_F(HttpServer, SendsNoChunksToHttp10) {
  ScriptedPeer& peer = client("C: GET /stream HTTP/1.0\nC:\nPAUSE 1h");
  serve(peer);
  EXPECT_THAT(peer.written(), testing::Not(HasSubstr("chunked")));
  EXPECT_THAT(peer.written(), EndsWith("Connection: close\r\n\r\nonetwotwotwotwotwo!"));
}

TEST_F(HttpServer, AFaultOfTheHandlerCostsItsAnswerAlone) {
  ScriptedPeer& peer = client("C: GET /fault HTTP/1.1\nC: Host: a\nC:\nPAUSE 1h");
  serve(peer);
  EXPECT_THAT(peer.written(), StartsWith("HTTP/1.1 500 \r\n"));
}

TEST_F(HttpServer, SendsInChunksWhatIsMadeMeanwhile) {
  ScriptedPeer& peer = client("C: GET /stream HTTP/1.1\nC: Host: a\nC:\nCLOSE");
  serve(peer);
  EXPECT_THAT(peer.written(), EndsWith("chunked\r\n\r\n3\r\none\r\n10\r\ntwotwotwotwotwo!\r\n0\r\n\r\n"));
}

TEST_F(HttpServer, AnswersOneRequestAfterTheOther) {
  ScriptedPeer& peer =
      client(std::string(get) + "C: POST /x HTTP/1.1\nC: Host: a\nC: Content-Length: 4\nC:\nC: ab\n" + get +
             "CLOSE");
  serve(peer);
  EXPECT_THAT(asked, testing::ElementsAre("GET / ", "POST /x ab\r\n", "GET / "));
}

TEST_F(HttpServer, ClosesWhereTheClientWantsIt) {
  ScriptedPeer& peer = client("C: GET / HTTP/1.0\nC: Host: a\nC:\nPAUSE 1h");
  serve(peer);
  EXPECT_THAT(peer.written(), HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(asked, testing::SizeIs(1));
}

TEST_F(HttpServer, AsksForTheBodyOfWhoeverWaits) {
  ScriptedPeer& peer = client(
      "C: POST / HTTP/1.1\nC: Host: a\nC: Expect: 100-continue\nC: Content-Length: 4\nC:\nS: HTTP/1.1 100 "
      "Continue\n"
      "S:\nC: ab\nCLOSE");
  serve(peer);
  EXPECT_THAT(asked, testing::ElementsAre("POST / ab\r\n"));
}

TEST_F(HttpServer, RefusesWhatItCannotReadAndReadsNothingBehindIt) {
  ScriptedPeer& peer = client(std::string("C: GET / HTTP/1.1\nC:\n") + get + "PAUSE 1h");
  serve(peer);
  EXPECT_THAT(peer.written(), StartsWith("HTTP/1.1 400 \r\n"));
  EXPECT_THAT(peer.written(), HasSubstr("Always: here\r\n"));
  EXPECT_THAT(peer.written(), EndsWith("{\"error\":\"the request cannot be read: it has no Host field\"}\n"));
  EXPECT_THAT(asked, testing::IsEmpty());
}

// How long a connection lasts of which nothing comes behind these lines.
TEST_F(HttpServer, WaitsForARequestSoLong) {
  const struct {
    std::string lines;
    Duration expected;
  } cases[] = {
      {"", Server::header_time},
      {"C: GET / HTTP/1.1\n", Server::header_time},
      {get, Server::idle_time},
      {std::string(get) + "C: GET / HTTP/1.1\n", Server::header_time},
      {"C: POST / HTTP/1.1\nC: Host: a\nC: Content-Length: 4\nC:\n", Server::body_time},
  };
  for (const auto& [lines, expected] : cases) {
    const SteadyTime before = loop.now();
    serve(client(lines + "PAUSE 1h"));
    EXPECT_EQ(loop.now() - before, expected) << lines;
  }
}

// One octet now and then does not keep a request open.
TEST_F(HttpServer, AHeaderHasATimeAsAWhole) {
  const SteadyTime before = loop.now();
  serve(client("C: GET / HTTP/1.1\nPAUSE 6s\nC: Host: a\nPAUSE 6s\nC: X: y\nPAUSE 1h"));
  EXPECT_EQ(loop.now() - before, Server::header_time);
}

TEST_F(HttpServer, DropsWhoeverDoesNotReadItsAnswer) {
  ScriptedPeer& peer = client(std::string(get) + "PAUSE 1h");
  peer.cut = {3, 0, test::Cut::How::stuck};
  answer.body.assign(1000'000, 'x');
  const SteadyTime before = loop.now();
  serve(peer);
  EXPECT_EQ(loop.now() - before, Server::write_time);
}

TEST_F(HttpServer, LetsTheOneGoThatHasWaitedLongest) {
  for (std::size_t i = 0; i < Server::most_connections; ++i) server.take(client("PAUSE 1h").connect());
  ScriptedPeer& last = client(std::string(get) + "PAUSE 1h");
  server.take(last.connect());
  run([&] { return clients.front().closed() && !asked.empty(); });
  EXPECT_FALSE(clients[1].closed());
  EXPECT_LE(server.connections(), Server::most_connections);
}

}  // namespace
}  // namespace relayd::http
