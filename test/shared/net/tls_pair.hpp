// A client's and a server's TLS engine over a wire of two strings: no sockets, no loop.
#pragma once

#include <string>
#include <utility>

#include "shared/net/tls.hpp"

namespace relayd::test {

class TlsPair {
 public:
  TlsPair(net::TlsClient client, std::shared_ptr<net::TlsServerContext> server)
      : client_(std::move(client)), server_(std::move(server)) {}

  // Shakes hands and, where that went well, sends a credential, which the server answers (tickets of TLS 1.3
  // travel with its first words). Ends when nobody has anything to say.
  TlsPair& run() {
    for (int quiet = 0; quiet < 2;) {
      const bool moved = advance(client_, server_) || advance(server_, client_);
      if (client_.done && !std::exchange(asked_, true)) client_.engine.write("AUTH PLAIN AHUAcA==");
      if (!server_.received.empty() && !std::exchange(answered_, true)) server_.engine.write("235");
      quiet = moved ? 0 : quiet + 1;
    }
    return *this;
  }

  const std::string& problem() const { return client_.problem; }  // the client's; empty: none
  const async::TlsFacts& facts() const { return client_.engine.facts(); }
  const std::string& received() const { return server_.received; }  // by the server, decrypted
  net::TlsEngine& client() { return client_.engine; }
  net::TlsEngine& server() { return server_.engine; }

 private:
  struct Side {
    template <class Context>
    explicit Side(Context context) : engine(std::move(context)) {}
    net::TlsEngine engine;
    std::string arrived;
    std::string received;
    std::string problem;
    bool done = false;
  };

  // True: it had something to say.
  static bool advance(Side& side, Side& peer) {
    try {
      if (side.problem.empty()) work(side);
    } catch (const async::IoError& error) {
      side.problem = error.what();
    }
    side.arrived.clear();
    peer.arrived += side.engine.output();
    return !std::exchange(side.engine.output(), {}).empty();
  }

  static void work(Side& side) {
    side.engine.input(side.arrived);
    if (!side.done) side.done = side.engine.handshake() == net::TlsEngine::Step::done;
    char buffer[100];
    while (side.done) {
      const auto [step, count] = side.engine.read(buffer);
      if (step != net::TlsEngine::Step::done) return;
      side.received.append(buffer, count);
    }
  }

  Side client_;
  Side server_;
  bool asked_ = false;
  bool answered_ = false;
};

}  // namespace relayd::test
