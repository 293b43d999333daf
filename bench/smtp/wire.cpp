#include "wire.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace relayd::bench {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

std::uint64_t now() {
  timespec time{};
  ::clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<std::uint64_t>(time.tv_sec) * second + static_cast<std::uint64_t>(time.tv_nsec);
}

void fail(const std::string& what) {
  fmt::print(stderr, "{}: {}\n", what, std::strerror(errno));
  std::exit(1);
}

int listen_on(std::uint16_t port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const sockaddr_in address = loopback(port);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, SOMAXCONN) != 0)
    fail(fmt::format("cannot listen on port {}", port));
  return listener;
}

std::uint16_t port_of(int listener) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

int connect_to(std::uint16_t port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const sockaddr_in address = loopback(port);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS)
    fail(fmt::format("cannot connect to port {}", port));
  return descriptor;
}

// --- Poll ---

Poll::Poll() : descriptor_(::epoll_create1(EPOLL_CLOEXEC)) {}

Poll::~Poll() {
  ::close(descriptor_);
}

void Poll::control(int operation, int descriptor, void* owner, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = owner;
  if (::epoll_ctl(descriptor_, operation, descriptor, &event) != 0) fail("epoll_ctl");
}

std::span<const epoll_event> Poll::wait(std::uint64_t until) {
  const std::uint64_t time = until ? now() : 0;
  const std::uint64_t left = until > time ? until - time : 0;
  const timespec timeout{static_cast<time_t>(left / second), static_cast<long>(left % second)};
  const int count =
      ::epoll_pwait2(descriptor_, events_, std::size(events_), until ? &timeout : nullptr, nullptr);
  return {events_, static_cast<std::size_t>(std::max(count, 0))};
}

// --- Wire ---

Wire::Wire(Poll& poll, int descriptor, void* owner) : poll_(poll), descriptor_(descriptor), owner_(owner) {
  const int yes = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  poll_.watch(descriptor_, owner_);
}

Wire::~Wire() {
  ::close(descriptor_);
}

bool Wire::receive() {
  char bytes[64 << 10];
  const ssize_t count = ::recv(descriptor_, bytes, sizeof bytes, 0);
  if (count == 0) return false;
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  incoming_.erase(0, std::exchange(consumed_, 0));
  const std::string_view arrived(bytes, static_cast<std::size_t>(count));
  try {
    if (tls_)
      decrypt(arrived);
    else
      incoming_ += arrived;
    return true;
  } catch (const async::IoError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return false;
  }
}

std::optional<std::string_view> Wire::line() {
  const std::string_view rest = std::string_view(incoming_).substr(consumed_);
  const std::size_t end = rest.find('\n');
  if (end == std::string_view::npos) return std::nullopt;
  consumed_ += end + 1;
  return rest.substr(0, end > 0 && rest[end - 1] == '\r' ? end - 1 : end);
}

void Wire::write(std::string_view clear) {
  if (!tls_) {
    outgoing_ += clear;
    return;
  }
  tls_->write(clear);
  collect();
}

bool Wire::flush() {
  if (!outgoing_.empty()) {
    const ssize_t sent = ::send(descriptor_, outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
    if (sent > 0) outgoing_.erase(0, static_cast<std::size_t>(sent));
  }
  if (watching_output_ == outgoing_.empty()) {
    watching_output_ = !outgoing_.empty();
    poll_.watch_output(descriptor_, owner_, watching_output_);
  }
  return true;
}

void Wire::shake_hands() {
  secure_ = tls_->handshake() == net::TlsEngine::Step::done;
  collect();
}

void Wire::decrypt(std::string_view records) {
  tls_->input(records);
  if (!secure_) shake_hands();
  char clear[16 << 10];
  while (secure_) {
    const auto [step, count] = tls_->read(clear);
    if (step != net::TlsEngine::Step::done) break;
    incoming_.append(clear, count);
  }
  collect();  // session tickets, for example
}

void Wire::collect() {
  outgoing_ += tls_->output();
  tls_->output().clear();
}

}  // namespace relayd::bench
