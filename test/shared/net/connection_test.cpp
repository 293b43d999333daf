// Connection, Acceptor, NetDialer and TLS against each other over loopback.
#include "shared/net/connection.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "shared/async/scope.hpp"
#include "shared/net/acceptor.hpp"
#include "shared/net/dialer.hpp"
#include "shared/net/gateway.hpp"
#include "shared/net/tls_authority.hpp"

namespace relayd::net {
namespace {

using async::IoError;
using async::IoFault;
using async::Stream;
using async::Task;
using namespace std::chrono_literals;

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = std::filesystem::temp_directory_path() / "relayd-net-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
    return path / name;
  }
};

class Net : public testing::Test {
 protected:
  AsioLoop loop;
  NetDialer dialer{loop};
  Folder folder;
  Authority authority{"test CA"};
  std::string ca = folder.write("ca.pem", authority.certificate());
  async::Scope scope{[](std::exception_ptr failure) { std::rethrow_exception(failure); }};
  std::unique_ptr<Acceptor> acceptor;
  std::uint16_t port = 0;

  std::shared_ptr<TlsServerContext> server_tls(const std::vector<std::string>& names,
                                               WallTime from = wall_now() - 1h,
                                               WallTime until = wall_now() + 1h) {
    const Authority::Issued issued = authority.issue(names, from, until);
    auto made = TlsServerContext::create(
        {{folder.write(names[0] + ".pem", issued.certificate), folder.write(names[0] + ".key", issued.key)}});
    EXPECT_TRUE(made) << made.error();
    return *made;
  }

  template <class Handler>
  void listen(std::shared_ptr<TlsServerContext> tls, Handler handler) {
    acceptor = Acceptor::tcp(
        loop, "127.0.0.1", 0, std::move(tls),
        [this, handler](std::unique_ptr<Stream> stream) { scope.spawn(handler(std::move(stream))); });
    port =
        static_cast<std::uint16_t>(std::stoi(acceptor->address().substr(acceptor->address().rfind(':') + 1)));
  }

  // Runs the client to its end.
  void run(Task<void> client) {
    auto ended = [](AsioLoop& l, Task<void> body) -> Task<void> {
      co_await body;
      l.stop();
    };
    scope.spawn(ended(loop, std::move(client)));
    loop.run();
    acceptor.reset();
  }

  // What a handshake to a server with this context ends in; empty when it is fine.
  std::string handshake_problem(std::shared_ptr<TlsServerContext> tls, async::TlsPolicy policy) {
    listen(std::move(tls), [this](std::unique_ptr<Stream> stream) { return accept_tls(std::move(stream)); });
    std::string problem;
    run(try_tls(policy, problem));
    return problem;
  }

  Task<void> accept_tls(std::unique_ptr<Stream> stream) {
    try {
      co_await stream->start_tls(loop.now() + 5s);
      char byte = 0;
      co_await stream->read_some({&byte, 1}, loop.now() + 5s);
    } catch (const IoError&) {
      // The client refused us: that is what is tested.
    }
  }
  Task<void> try_tls(async::TlsPolicy policy, std::string& problem) {
    std::unique_ptr<Stream> stream =
        co_await dialer.dial("127.0.0.1", port, policy, loop.now() + 5s, std::stop_token());
    try {
      co_await stream->start_tls(loop.now() + 5s);
      EXPECT_TRUE(stream->tls().verified);
    } catch (const IoError& error) {
      EXPECT_EQ(error.fault(), IoFault::tls);
      problem = error.what();
    }
  }
};

Task<void> echo(AsioLoop& loop, std::unique_ptr<Stream> stream, bool tls) {
  if (tls) co_await stream->start_tls(loop.now() + 5s);
  std::string buffer(10'000, '\0');
  for (;;) {
    const std::size_t count = co_await stream->read_some(buffer, loop.now() + 5s);
    if (count == 0) co_return;
    co_await stream->write({buffer.data(), count}, loop.now() + 5s);
  }
}

Task<void> send_and_receive(AsioLoop& loop, NetDialer& dialer, std::uint16_t port, async::TlsPolicy policy,
                            bool tls) {
  std::unique_ptr<Stream> stream =
      co_await dialer.dial("127.0.0.1", port, policy, loop.now() + 5s, std::stop_token());
  if (tls) co_await stream->start_tls(loop.now() + 5s);
  std::string sent(200'000, '\0');
  for (std::size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<char>(i * 31 >> 3);
  std::string received;
  std::string buffer(7'000, '\0');
  for (std::size_t at = 0; at < sent.size(); at += 20'000) {
    co_await stream->write(std::string_view(sent).substr(at, 20'000), loop.now() + 5s);
    while (received.size() < at + 20'000) {
      const std::size_t count = co_await stream->read_some(buffer, loop.now() + 5s);
      received.append(buffer, 0, count);
    }
  }
  EXPECT_EQ(received, sent);
  EXPECT_EQ(stream->tls().version, tls ? "TLSv1.3" : "");
  const std::optional<async::ChannelBinding> binding = stream->channel_binding();
  EXPECT_EQ(binding.has_value(), tls);
}

TEST_F(Net, BytesComeBackInTheClear) {
  listen(nullptr, [this](std::unique_ptr<Stream> stream) { return echo(loop, std::move(stream), false); });
  run(send_and_receive(loop, dialer, port, {"127.0.0.1", ca}, false));
}

TEST_F(Net, BytesComeBackThroughTls) {
  listen(server_tls({"localhost", "127.0.0.1"}),
         [this](std::unique_ptr<Stream> stream) { return echo(loop, std::move(stream), true); });
  run(send_and_receive(loop, dialer, port, {"localhost", ca}, true));
}

TEST_F(Net, AnAddressIsVerifiedAsAnAddress) {
  EXPECT_EQ(handshake_problem(server_tls({"127.0.0.1"}), {"127.0.0.1", ca}), "");
}

TEST_F(Net, ARefusalIsToldInWords) {
  EXPECT_THAT(handshake_problem(server_tls({"other.example"}), {"127.0.0.1", ca}),
              testing::HasSubstr("for other.example, not for the address 127.0.0.1"));
}

Task<void> hang_up(std::unique_ptr<Stream> stream, Deadline deadline) {
  char hello[1000];
  co_await stream->read_some(hello, deadline);
}

TEST_F(Net, APeerThatClosesDuringTheHandshakeIsToldSo) {
  listen(nullptr,
         [this](std::unique_ptr<Stream> stream) { return hang_up(std::move(stream), loop.now() + 5s); });
  std::string problem;
  run(try_tls({"mail.example", ca}, problem));
  EXPECT_EQ(problem, "the peer closed the connection during the TLS handshake");
}

Task<void> expect_fault(NetDialer& dialer, std::string host, std::uint16_t port, async::TlsPolicy policy,
                        Deadline deadline, IoFault fault) {
  try {
    std::unique_ptr<Stream> stream = co_await dialer.dial(host, port, policy, deadline, std::stop_token());
    ADD_FAILURE() << "connected";
  } catch (const IoError& error) {
    EXPECT_EQ(error.fault(), fault) << error.what();
  }
}

TEST_F(Net, AClosedPortIsRefused) {
  listen(nullptr, [this](std::unique_ptr<Stream> stream) { return echo(loop, std::move(stream), false); });
  acceptor->close();
  run(expect_fault(dialer, "127.0.0.1", port, {"x", ca}, loop.now() + 5s, IoFault::refused));
}

TEST_F(Net, AMissingCaFileIsNamed) {
  run(expect_fault(dialer, "127.0.0.1", 1, {"x", "/nowhere/ca.pem"}, loop.now() + 5s, IoFault::tls));
}

Task<void> read_from_silence(AsioLoop& loop, NetDialer& dialer, std::uint16_t port, std::string ca) {
  const async::TlsPolicy policy{"x", ca};
  std::unique_ptr<Stream> stream =
      co_await dialer.dial("127.0.0.1", port, policy, loop.now() + 5s, std::stop_token());
  char byte = 0;
  try {
    co_await stream->read_some({&byte, 1}, loop.now() + 20ms);
    ADD_FAILURE() << "something was read";
  } catch (const IoError& error) {
    EXPECT_EQ(error.fault(), IoFault::timed_out);
  }
}

TEST_F(Net, ADeadlineEndsARead) {
  listen(nullptr, [this](std::unique_ptr<Stream> stream) { return echo(loop, std::move(stream), false); });
  run(read_from_silence(loop, dialer, port, ca));
}

TEST_F(Net, TwoListenersOnOneAddressAreRefusedByName) {
  listen(nullptr, [this](std::unique_ptr<Stream> stream) { return echo(loop, std::move(stream), false); });
  try {
    Acceptor::tcp(loop, "127.0.0.1", port, nullptr, [](std::unique_ptr<Stream>) {});
    FAIL();
  } catch (const BindError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("127.0.0.1:" + std::to_string(port)));
  }
}

TEST(Gateway, IsThatOfTheDefaultRoute) {
  EXPECT_EQ(default_gateway("Iface\tDestination\tGateway\tFlags\n"
                            "eth0\t000011AC\t00000000\t0001\n"
                            "eth0\t00000000\t010011AC\t0003\n"),
            "172.17.0.1");
  EXPECT_EQ(default_gateway("Iface\tDestination\tGateway\nlo\t00000000\t00000000\nnonsense\n"), "");
  EXPECT_EQ(default_gateway(""), "");
}

}  // namespace
}  // namespace relayd::net
