// StreamClient, NetDialer and TLS against a small server on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "shared/async/scope.hpp"
#include "shared/http/stream_client.hpp"
#include "shared/net/acceptor.hpp"
#include "shared/net/dialer.hpp"
#include "shared/net/tls_authority.hpp"
#include "support/temporary_directory.hpp"

namespace relayd::http {
namespace {

using async::IoError;
using async::IoFault;
using async::Stream;
using async::Task;
using testing::HasSubstr;
using namespace std::chrono_literals;

class StreamClientTls : public testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = folder.path() / name;
    std::ofstream(path) << text;
    return path;
  }

  // Answers every request, counting them; closes after `each_connection` of them.
  void listen(const std::string& certified_name) {
    const net::Authority::Issued issued = authority.issue({certified_name}, wall_now() - 1h, wall_now() + 1h);
    auto tls = net::TlsServerContext::create(
        {{write("leaf.pem", issued.certificate), write("leaf.key", issued.key)}});
    ASSERT_TRUE(tls) << tls.error();
    acceptor = net::Acceptor::tcp(loop, "127.0.0.1", 0, *tls, [this](std::unique_ptr<Stream> stream) {
      ++connections;
      scope.spawn(serve(std::move(stream)));
    });
  }
  std::string url(const std::string& host) const {
    return "https://" + host + acceptor->address().substr(acceptor->address().rfind(':')) + "/hook";
  }

  Task<void> serve(std::unique_ptr<Stream> stream) {
    try {
      co_await stream->start_tls(loop.now() + 5s);
      for (int left = each_connection; left > 0; --left) {
        co_await answer(*stream);
      }
    } catch (const IoError&) {
      // The client has gone.
    }
  }
  Task<void> answer(Stream& stream) {
    std::string got;
    std::string buffer(1000, '\0');
    while (!got.ends_with("hello")) {
      const std::size_t count = co_await stream.read_some(buffer, loop.now() + 5s);
      if (count == 0) throw IoError(IoFault::closed, "gone");
      got.append(buffer, 0, count);
    }
    ++requests;
    const std::string response = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    co_await stream.write(response, loop.now() + 5s);
  }

  // What each of so many exchanges in a row came to.
  std::vector<std::string> exchange(net::NetDialer& dialer, const std::string& at, int times) {
    StreamClient client(loop, dialer, {.url = *parse_url(at), .ca_file = ca});
    std::vector<std::string> results;
    scope.spawn(ask(client, results, times));
    loop.run();
    return results;
  }
  Task<void> ask(StreamClient& client, std::vector<std::string>& results, int times) {
    const Request request{"POST", {}, "hello"};
    for (int i = 0; i < times; ++i) {
      try {
        const Response response = co_await client.exchange(request, loop.now() + 5s, std::stop_token());
        results.push_back(response.body);
      } catch (const IoError& error) {
        results.push_back(error.what());
      }
    }
    loop.stop();
  }

  net::AsioLoop loop;
  net::NetDialer judged{loop, [](const std::string& host, std::vector<std::string> found) {
                          return net::judge(host, std::move(found), false);
                        }};
  test::TemporaryDirectory folder;
  net::Authority authority{"test CA"};
  std::string ca = write("ca.pem", authority.certificate());
  async::Scope scope;
  std::unique_ptr<net::Acceptor> acceptor;
  int each_connection = 100;
  int connections = 0;
  int requests = 0;
};

TEST_F(StreamClientTls, UsesOneConnectionForAll) {
  listen("localhost");
  EXPECT_THAT(exchange(judged, url("localhost"), 3), testing::Each("ok"));
  EXPECT_EQ(requests, 3);
  EXPECT_EQ(connections, 1);
}

TEST_F(StreamClientTls, GoesOnWhereTheServerClosesInBetween) {
  each_connection = 1;
  listen("127.0.0.1");
  EXPECT_THAT(exchange(judged, url("127.0.0.1"), 3), testing::Each("ok"));
  EXPECT_EQ(requests, 3);
  EXPECT_EQ(connections, 3);
}

TEST_F(StreamClientTls, SaysNothingToAServerOfAnotherName) {
  listen("other.example");
  EXPECT_THAT(exchange(judged, url("localhost"), 1), testing::ElementsAre(HasSubstr("other.example")));
  EXPECT_EQ(requests, 0);
}

TEST_F(StreamClientTls, ConnectsToNoAddressThatIsForNobody) {
  EXPECT_THAT(exchange(judged, "https://[::ffff:169.254.169.254]/", 1),
              testing::ElementsAre(HasSubstr("nothing is sent there")));
}

}  // namespace
}  // namespace relayd::http
