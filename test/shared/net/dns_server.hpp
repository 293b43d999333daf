// DnsServer: answers questions on loopback, over UDP and TCP of one port, as a test tells it to, on a thread
// of its own.
#pragma once

#include <arpa/inet.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "support/dns_wire.hpp"

namespace relayd::test {

class DnsServer {
 public:
  // What is sent, one after another; over TCP without the length that goes before it. Called on the thread.
  using Respond = std::function<std::vector<std::string>(const std::string& query, bool tcp)>;

  explicit DnsServer(Respond respond) : respond_(std::move(respond)) {
    for (int tries = 0; tries < 100 && !bind(); ++tries) {
    }
    if (::listen(tcp_, 16) != 0) throw std::runtime_error("cannot listen");
    thread_ = std::thread([this] { serve(); });
  }
  ~DnsServer() {
    ::eventfd_write(stop_, 1);
    thread_.join();
    for (const int socket : {udp_, tcp_, stop_}) ::close(socket);
  }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  std::atomic<unsigned> asked_udp = 0;
  std::atomic<unsigned> asked_tcp = 0;

 private:
  // False: the number that the kernel chose for UDP is taken for TCP.
  bool bind() {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof name;
    udp_ = ::socket(AF_INET, SOCK_DGRAM, 0);
    tcp_ = ::socket(AF_INET, SOCK_STREAM, 0);
    const int room = 4 << 20;
    ::setsockopt(udp_, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
    auto* const raw = reinterpret_cast<sockaddr*>(&name);
    const bool bound =
        ::bind(udp_, raw, size) == 0 && ::getsockname(udp_, raw, &size) == 0 && ::bind(tcp_, raw, size) == 0;
    port_ = ntohs(name.sin_port);
    if (!bound) {
      ::close(udp_);
      ::close(tcp_);
    }
    return bound;
  }

  void serve() {
    std::vector<pollfd> sockets = {{stop_, POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
    while (::poll(sockets.data(), sockets.size(), -1) > 0 && sockets[0].revents == 0) {
      if (sockets[1].revents != 0) answer_datagram();
      if (sockets[2].revents != 0) sockets.push_back({::accept(tcp_, nullptr, nullptr), POLLIN, 0});
      for (std::size_t i = sockets.size() - 1; i > 2; --i)
        if (sockets[i].revents != 0 && !answer_stream(sockets[i].fd)) {
          ::close(sockets[i].fd);
          sockets.erase(sockets.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    for (std::size_t i = 3; i < sockets.size(); ++i) ::close(sockets[i].fd);
  }

  void answer_datagram() {
    char buffer[4096];
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    auto* const raw = reinterpret_cast<sockaddr*>(&peer);
    const ssize_t octets = ::recvfrom(udp_, buffer, sizeof buffer, 0, raw, &size);
    if (octets <= 0) return;
    ++asked_udp;
    for (const std::string& answer : respond_(std::string(buffer, static_cast<std::size_t>(octets)), false))
      ::sendto(udp_, answer.data(), answer.size(), 0, raw, size);
  }

  bool answer_stream(int peer) {
    char buffer[4096];
    if (::recv(peer, buffer, 2, MSG_WAITALL) != 2) return false;
    const std::size_t size =
        static_cast<unsigned char>(buffer[0]) * 256U + static_cast<unsigned char>(buffer[1]);
    if (size > sizeof buffer || ::recv(peer, buffer, size, MSG_WAITALL) != static_cast<ssize_t>(size))
      return false;
    ++asked_tcp;
    for (const std::string& answer : respond_(std::string(buffer, size), true)) {
      const std::string framed = number(static_cast<unsigned>(answer.size())) + answer;
      if (::send(peer, framed.data(), framed.size(), MSG_NOSIGNAL) < 0) return false;
    }
    return true;
  }

  Respond respond_;
  int udp_ = -1;
  int tcp_ = -1;
  int stop_ = ::eventfd(0, 0);
  unsigned port_ = 0;
  std::thread thread_;
};

}  // namespace relayd::test
