// Resolving and connecting: addresses raced, failures told apart, a dial given up.
#include "shared/net/dialer.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "shared/async/scope.hpp"
#include "shared/net/acceptor.hpp"
#include "shared/net/connect.hpp"

namespace relayd::net {
namespace {

using async::IoError;
using async::IoFault;
using async::Task;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using namespace std::chrono_literals;

// A port that swallows: its backlog is full, so that the kernel drops what asks for more.
class SilentPort {
 public:
  explicit SilentPort(const char* address, std::uint16_t port = 0) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = ::inet_addr(address);
    for (int& socket : sockets_) socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    auto* raw = reinterpret_cast<sockaddr*>(&name);
    socklen_t size = sizeof name;
    EXPECT_EQ(::bind(sockets_[0], raw, size), 0);
    EXPECT_EQ(::listen(sockets_[0], 0), 0);
    ::getsockname(sockets_[0], raw, &size);
    port_ = ntohs(name.sin_port);
    for (std::size_t i = 1; i < sockets_.size(); ++i) ::connect(sockets_[i], raw, size);
  }
  ~SilentPort() {
    for (const int socket : sockets_) ::close(socket);
  }
  std::uint16_t port() const { return port_; }

 private:
  std::array<int, 4> sockets_{};
  std::uint16_t port_ = 0;
};

class Dial : public testing::Test {
 protected:
  // How a dial ended.
  struct End {
    std::unique_ptr<async::Stream> stream;
    IoFault fault{};
    std::string text;
  };

  End connect_to(std::vector<std::string> addresses, std::uint16_t port, Duration patience) {
    End end;
    run(await(
        connect(loop, "mail.example", std::move(addresses), port, loop.now() + patience, stopper.get_token()),
        end));
    return end;
  }
  End dial(const std::string& host, std::uint16_t port, Duration patience) {
    return dial(dialer, host, port, patience);
  }
  End dial(NetDialer& by, const std::string& host, std::uint16_t port, Duration patience) {
    End end;
    const async::TlsPolicy policy{.name = host, .verify = false};
    run(await(by.dial(host, port, policy, loop.now() + patience, stopper.get_token()), end));
    return end;
  }

  template <class Stream>
  Task<void> await(Task<std::unique_ptr<Stream>> dialling, End& end) {
    try {
      end.stream = co_await dialling;
    } catch (const IoError& error) {
      end.fault = error.fault();
      end.text = error.what();
    }
    loop.stop();
  }
  void run(Task<void> client) {
    scope.spawn(std::move(client));
    if (scope.count() > 0) loop.run();
  }
  // A listener's port on 127.0.0.1.
  std::uint16_t listen() {
    acceptor = Acceptor::tcp(loop, "127.0.0.1", 0, nullptr, [this](std::unique_ptr<async::Stream> stream) {
      accepted.push_back(std::move(stream));
    });
    return static_cast<std::uint16_t>(
        std::stoi(acceptor->address().substr(acceptor->address().rfind(':') + 1)));
  }

  AsioLoop loop;
  NetDialer dialer{loop};
  std::stop_source stopper;
  std::unique_ptr<Acceptor> acceptor;
  std::vector<std::unique_ptr<async::Stream>> accepted;
  async::Scope scope;
};

TEST_F(Dial, AnAddressThatSwallowsPacketsHoldsUpNobody) {
  const std::uint16_t port = listen();
  const SilentPort silent("127.0.0.2", port);
  const End end = connect_to({"127.0.0.2", "127.0.0.1"}, port, 1h);
  ASSERT_TRUE(end.stream) << end.text;
  EXPECT_EQ(end.stream->peer(), "127.0.0.1");
}

TEST_F(Dial, ARefusalStartsTheNextAtOnce) {
  const std::uint16_t port = listen();
  const End end = connect_to({"127.0.0.2", "127.0.0.3", "127.0.0.1"}, port, 1h);
  ASSERT_TRUE(end.stream) << end.text;
  EXPECT_EQ(end.stream->peer(), "127.0.0.1");
}

TEST_F(Dial, SaysWhatEachAddressAnswered) {
  const std::uint16_t port = listen();
  acceptor->close();
  const End end = connect_to({"127.0.0.1", "127.0.0.2"}, port, 1h);
  EXPECT_EQ(end.fault, IoFault::refused);
  EXPECT_EQ(end.text, "cannot connect to mail.example port " + std::to_string(port) +
                          ": 127.0.0.1: Connection refused; 127.0.0.2: Connection refused");
  EXPECT_EQ(connect_to({"255.255.255.255"}, port, 1h).fault, IoFault::unreachable);
}

TEST_F(Dial, APortThatNeverAnswersLooksBlocked) {
  const SilentPort silent("127.0.0.1");
  const End end = connect_to({"127.0.0.1"}, silent.port(), 10ms);
  EXPECT_EQ(end.fault, IoFault::timed_out);
  EXPECT_THAT(end.text, AllOf(HasSubstr("no answer from mail.example port " + std::to_string(silent.port())),
                              HasSubstr("the port looks blocked")));
}

TEST_F(Dial, CanBeGivenUpWhileConnecting) {
  const SilentPort silent("127.0.0.1");
  loop.post([this] { stopper.request_stop(); });
  EXPECT_EQ(dial("127.0.0.1", silent.port(), 1h).fault, IoFault::cancelled);
}

TEST_F(Dial, CanBeGivenUpWhileResolving) {
  stopper.request_stop();
  EXPECT_EQ(dial("mail.invalid", 25, 1h).fault, IoFault::cancelled);
}

TEST_F(Dial, AName) {
  const std::uint16_t port = listen();
  const End end = dial("localhost", port, 1h);
  ASSERT_TRUE(end.stream) << end.text;
  EXPECT_EQ(end.stream->peer(), "127.0.0.1");
}

TEST_F(Dial, ConnectsToWhatTheJudgeLeavesOfEachLookup) {
  const std::uint16_t port = listen();
  std::vector<std::string> answer = {"127.0.0.1"};
  std::vector<std::string> asked;
  NetDialer judged(loop, [&](const std::string& host, const std::vector<std::string>& found) {
    EXPECT_THAT(found, testing::Contains("127.0.0.1"));
    asked.push_back(host);
    if (answer.empty()) throw IoError(IoFault::unreachable, "not there");
    return answer;
  });
  EXPECT_TRUE(dial(judged, "localhost", port, 1h).stream);
  answer = {"127.0.0.2"};
  EXPECT_THAT(dial(judged, "localhost", port, 1h).text, HasSubstr("127.0.0.2: Connection refused"));
  answer.clear();
  EXPECT_EQ(dial(judged, "127.0.0.1", port, 1h).text, "not there");
  EXPECT_THAT(asked, ElementsAre("localhost", "localhost", "127.0.0.1"));
}

TEST_F(Dial, ANameThatDoesNotResolveIsNamed) {
  const End end = dial("no such host", 25, 1h);
  EXPECT_EQ(end.fault, IoFault::resolve);
  EXPECT_THAT(end.text, AllOf(HasSubstr("no such host does not resolve"), HasSubstr("mail waits")));
}

}  // namespace
}  // namespace relayd::net
