// Wire: a non-blocking socket as lines of SMTP, with TLS on top once it is asked for. Both ends of the
// measuring kit speak through it: plain calls under epoll, no coroutines and no deadlines, so that the kit
// costs less than what it measures.
//
// Owned by its session; one thread.
#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "shared/net/tls.hpp"

namespace relayd::bench {

// Nanoseconds of the monotonic clock, which all processes of a machine share.
std::uint64_t now();

// Ends the process with what the system says about `what`.
[[noreturn]] void fail(const std::string& what);

// A non-blocking listener on loopback; port 0 lets the kernel choose.
int listen_on(std::uint16_t port);
std::uint16_t port_of(int listener);
// Begins to connect to loopback; the descriptor becomes writable.
int connect_to(std::uint16_t port);

class Poll {
 public:
  Poll();
  ~Poll();
  // Closing the descriptor ends it.
  void watch(int descriptor, void* owner) { control(EPOLL_CTL_ADD, descriptor, owner, EPOLLIN); }
  void watch_output(int descriptor, void* owner, bool wanted) {
    control(EPOLL_CTL_MOD, descriptor, owner, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN);
  }
  // Waits until `until` (as now() counts) at most; 0: for ever.
  std::span<const epoll_event> wait(std::uint64_t until);

 private:
  void control(int operation, int descriptor, void* owner, std::uint32_t events);
  int descriptor_;
  epoll_event events_[256];
};

class Wire {
 public:
  Wire(Poll& poll, int descriptor, void* owner);
  ~Wire();

  // Reads what has arrived, once; false when the peer is gone or TLS failed.
  bool receive();
  // The next whole line without its CR LF; valid until receive().
  std::optional<std::string_view> line();

  // Puts bytes behind what waits to be sent; nothing leaves before flush().
  void write(std::string_view clear);
  // Sends what it can; the rest leaves when the socket is writable and flush() is called again.
  bool flush();
  // What waits to be sent, as it will be on the line, and the way back: for who delays it.
  std::string take() { return std::exchange(outgoing_, {}); }
  void put(std::string_view bytes) { outgoing_ += bytes; }

  // From here on all is TLS. A client's first flight waits to be sent then.
  // `side`: a net::TlsClient, or a server's context.
  template <class Side>
  void start_tls(Side side) {
    tls_ = std::make_unique<net::TlsEngine>(std::move(side));
    shake_hands();
  }
  bool secure() const { return secure_; }
  bool resumed() const { return tls_->facts().resumed; }

 private:
  void shake_hands();
  void decrypt(std::string_view records);
  void collect();

  Poll& poll_;
  int descriptor_;
  void* owner_;
  std::unique_ptr<net::TlsEngine> tls_;
  bool secure_ = false;
  bool watching_output_ = false;
  std::string incoming_;
  std::size_t consumed_ = 0;
  std::string outgoing_;
};

}  // namespace relayd::bench
