// StreamClient over scripted streams: what is said, what is kept, what is tried again.
#include "shared/http/stream_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "support/scripted_dialer.hpp"

namespace relayd::http {
namespace {

using async::IoError;
using async::IoFault;
using test::ScriptedPeer;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

const std::string request =
    "C: POST /a?secret HTTP/1.1\nC: Host: hooks.example\nC: Content-Length: 4\nC:\nC: hi\n";
const std::string fine = "S: HTTP/1.1 200 OK\nS: Content-Length: 2\nS:\nS: ok\\\n";

class StreamClientTest : public testing::Test {
 protected:
  // Peers are reached in the order they were added.
  ScriptedPeer& peer(const std::string& script) {
    return peers.emplace_back(loop, test::make_script(test::Side::server, script));
  }
  StreamClient& client(const std::string& url = "http://hooks.example/a?secret",
                       const std::string& proxy = "") {
    StreamClient::Options options{.url = *parse_url(url), .ca_file = "ca.pem"};
    if (!proxy.empty()) options.proxy = *parse_url(proxy);
    return *(held = std::make_unique<StreamClient>(loop, dialer, options));
  }
  // The status, or "FAULT: text" of what was thrown.
  std::string exchange(StreamClient& by, const Request& what = {"POST", {}, "hi\r\n"}) {
    try {
      response = test::drive(loop, by.exchange(what, loop.now() + 1min, stopper.get_token()));
      return std::to_string(response.status);
    } catch (const IoError& error) {
      fault = error.fault();
      return error.what();
    }
  }
  void TearDown() override {
    for (const ScriptedPeer& each : peers) {
      EXPECT_EQ(each.complaint(), "");
      EXPECT_TRUE(each.finished()) << each.position();
    }
    EXPECT_EQ(dialled.size(), peers.size());
  }

  test::ManualLoop loop;
  std::deque<ScriptedPeer> peers;
  std::vector<std::string> dialled;
  test::ScriptedDialer dialer{loop, [this](const std::string& host, std::uint16_t) -> ScriptedPeer& {
                                dialled.push_back(host);
                                return peers.at(dialled.size() - 1);
                              }};
  std::stop_source stopper;
  std::unique_ptr<StreamClient> held;
  Response response;
  IoFault fault{};
};

TEST_F(StreamClientTest, AsksAndReads) {
  const ScriptedPeer& server = peer(request + fine);
  EXPECT_EQ(exchange(client()), "200");
  EXPECT_EQ(response.body, "ok");
  EXPECT_THAT(dialled, ElementsAre("hooks.example"));
  EXPECT_THAT(dialer.ports, ElementsAre(80));
  EXPECT_FALSE(server.closed());
}

TEST_F(StreamClientTest, GivesARedirectBack) {
  peer(request + "S: HTTP/1.1 302 Found\nS: Location: http://127.0.0.1/\nS: Content-Length: 0\nS:\n");
  EXPECT_EQ(exchange(client()), "302");
  EXPECT_TRUE(response.headers[0] == (Header{"location", "http://127.0.0.1/"}));
}

TEST_F(StreamClientTest, BeginsTlsForTheNameBeforeItSaysAnything) {
  peer("TLS\n" + request + fine).tls_facts.verified = true;
  EXPECT_EQ(exchange(client("https://hooks.example/a?secret")), "200");
  EXPECT_THAT(dialer.ports, ElementsAre(443));
  EXPECT_EQ(dialer.policies[0].name, "hooks.example");
  EXPECT_EQ(dialer.policies[0].ca_file, "ca.pem");
  EXPECT_TRUE(dialer.policies[0].verify);
}

TEST_F(StreamClientTest, SaysNothingToAPeerThatWasNotVerified) {
  ScriptedPeer& server = peer("TLS\n");
  server.tls_facts.verified = false;
  EXPECT_EQ(exchange(client("https://hooks.example/a?secret")),
            "the certificate of hooks.example was not verified");
  EXPECT_EQ(fault, IoFault::tls);
  EXPECT_EQ(server.written(), "");
}

TEST_F(StreamClientTest, UsesAConnectionAgain) {
  peer(request + fine + request + fine);
  StreamClient& by = client();
  EXPECT_EQ(exchange(by), "200");
  EXPECT_EQ(exchange(by), "200");
  EXPECT_THAT(dialled, ElementsAre("hooks.example"));
}

TEST_F(StreamClientTest, LeavesAConnectionThatTheServerDoesNotKeep) {
  for (const char* last :
       {"S: HTTP/1.1 200 OK\nS: Content-Length: 0\nS: Connection: close\nS:\n",
        "S: HTTP/1.0 200 OK\nS: Content-Length: 0\nS:\n", "S: HTTP/1.1 200 OK\nS:\nS: until here\nCLOSE\n",
        "S: HTTP/1.1 200 OK\nS: Content-Length: 0\nS:\nS: HTTP/1.1 200 OK\n"})
    peer(request + last);
  StreamClient& by = client();
  for (const ScriptedPeer& each : peers) {
    EXPECT_EQ(exchange(by), "200");
    EXPECT_TRUE(each.closed());
  }
}

TEST_F(StreamClientTest, LeavesAConnectionThatIsIdleForLong) {
  const ScriptedPeer& first = peer(request + fine);
  peer(request + fine);
  StreamClient& by = client();
  EXPECT_EQ(exchange(by), "200");
  loop.advance(StreamClient::idle - 1s);
  EXPECT_FALSE(first.closed());
  loop.advance(1s);
  EXPECT_TRUE(first.closed());
  EXPECT_EQ(exchange(by), "200");
}

TEST_F(StreamClientTest, DoesNotTakeWhatCameUnaskedForAResponse) {
  ScriptedPeer& first = peer(request + fine);
  peer(request + fine);
  StreamClient& by = client();
  EXPECT_EQ(exchange(by), "200");
  first.talks_early = true;
  EXPECT_EQ(exchange(by), "200");
}

TEST_F(StreamClientTest, TriesOnceMoreWhereAUsedConnectionEnded) {
  for (const char* end : {"CLOSE\n", "RESET\n"}) {
    peer(request + fine + "C: POST...\n" + end);
    peer(request + fine);
    StreamClient& by = client();
    EXPECT_EQ(exchange(by), "200");
    EXPECT_EQ(exchange(by), "200") << end;
  }
}

TEST_F(StreamClientTest, TriesNoMoreThanOnce) {
  peer(request + fine + "C: POST...\nCLOSE\n");
  peer("C: POST...\nCLOSE\n");
  StreamClient& by = client();
  EXPECT_EQ(exchange(by), "200");
  EXPECT_EQ(exchange(by), "hooks.example:80 closed the connection before its response");
  EXPECT_EQ(fault, IoFault::closed);
}

TEST_F(StreamClientTest, DoesNotTryAgainOnceAResponseHasBegun) {
  peer(request + fine + request + "S: H\\\nCLOSE\n");
  StreamClient& by = client();
  EXPECT_EQ(exchange(by), "200");
  EXPECT_EQ(exchange(by), "hooks.example:80 closed the connection amid its response");
}

TEST_F(StreamClientTest, DoesNotTryAgainAfterSilence) {
  peer(request + fine + request + "PAUSE 2m\n");
  StreamClient& by = client();
  EXPECT_EQ(exchange(by), "200");
  exchange(by);
  EXPECT_EQ(fault, IoFault::timed_out);
}

TEST_F(StreamClientTest, DoesNotTryAgainOnAConnectionThatIsNew) {
  peer("C: POST...\nCLOSE\n");
  EXPECT_EQ(exchange(client()), "hooks.example:80 closed the connection before its response");
}

TEST_F(StreamClientTest, HasOneDeadlineForAll) {
  peer(request + "PAUSE 40s\nS: HTTP/1.1 200 OK\nPAUSE 40s\n");
  exchange(client());
  EXPECT_EQ(fault, IoFault::timed_out);
}

TEST_F(StreamClientTest, EndsWhenItIsToldToStop) {
  ScriptedPeer& server = peer(request + "DO stop\nPAUSE 2m\n");
  server.on_call = [this](const std::string&) { stopper.request_stop(); };
  const SteadyTime begun = loop.now();
  exchange(client());
  EXPECT_EQ(fault, IoFault::cancelled);
  EXPECT_TRUE(server.closed());
  EXPECT_LT(loop.now() - begun, 1s);
}

TEST_F(StreamClientTest, SaysWhyAResponseIsNone) {
  peer(request + "S: 220 mail.example ESMTP\n");
  EXPECT_EQ(exchange(client()),
            "the response of hooks.example:80 is no HTTP/1.1: it does not begin as HTTP/1.1 does");
  EXPECT_EQ(fault, IoFault::protocol);
}

TEST_F(StreamClientTest, SendsNoHeaderThatWouldBeTwo) {
  EXPECT_THAT(exchange(client(), {"POST", {{"X", "a\r\nY: b"}}, ""}), HasSubstr("control character"));
}

const std::string connect = "C: CONNECT hooks.example:443 HTTP/1.1\nC: Host: hooks.example:443\nC:\n";

TEST_F(StreamClientTest, GoesThroughAProxyWithTlsInside) {
  const ScriptedPeer& proxy =
      peer(connect + "S: HTTP/1.1 200 Go on\nS:\nTLS\n" + request + fine + request + fine);
  StreamClient& by = client("https://hooks.example/a?secret", "http://proxy.internal:3128");
  EXPECT_EQ(exchange(by), "200");
  EXPECT_EQ(exchange(by), "200");
  EXPECT_THAT(dialled, ElementsAre("proxy.internal"));
  EXPECT_THAT(dialer.ports, ElementsAre(3128));
  EXPECT_EQ(dialer.policies[0].name, "hooks.example");
  EXPECT_THAT(proxy.writes()[0], testing::Not(HasSubstr("secret")));
}

TEST_F(StreamClientTest, SaysThatAProxyRefuses) {
  peer(connect + "S: HTTP/1.1 403 No\nS: Content-Length: 0\nS:\n");
  EXPECT_EQ(exchange(client("https://hooks.example/a?secret", "http://proxy.internal:3128")),
            "the proxy proxy.internal:3128 answers 403 when asked for a tunnel to hooks.example:443");
  EXPECT_EQ(fault, IoFault::unreachable);
}

TEST_F(StreamClientTest, BelievesNothingThatAProxyPutsBeforeTheTunnel) {
  peer(connect + "S: HTTP/1.1 200 Go on\nS:\n").talks_early = true;
  exchange(client("https://hooks.example/a?secret", "http://proxy.internal:3128"));
  EXPECT_EQ(fault, IoFault::protocol);
}

TEST_F(StreamClientTest, AsksNoProxyForMetadata) {
  for (const char* url :
       {"http://169.254.169.254/", "https://[::ffff:169.254.169.254]/", "http://[64:ff9b::a9fe:a9fe]/"}) {
    EXPECT_THAT(exchange(client(url, "http://proxy.internal:3128")), HasSubstr("nothing is sent there"))
        << url;
    EXPECT_EQ(fault, IoFault::unreachable);
  }
}

}  // namespace
}  // namespace relayd::http
