#include "oauth_browser.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "shared/oauth/sign_in.hpp"

namespace relayd::command {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t longest_request = 8 * 1024;
constexpr std::chrono::seconds request_patience{5};

void demand(bool done, const char* what) {
  if (!done) throw std::system_error(errno, std::generic_category(), what);
}

int milliseconds_until(Clock::time_point end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

// What has come until the first line is whole; empty: nothing in time. `ended`: nothing will come any more.
// Of what stands behind the line less than a piece is lost.
std::string first_line(int fd, Clock::time_point end, bool& ended, std::size_t piece = 1024) {
  std::string text;
  while (text.find('\n') == std::string::npos && text.size() < longest_request) {
    pollfd readable{fd, POLLIN, 0};
    if (::poll(&readable, 1, milliseconds_until(end)) <= 0) break;
    char buffer[1024];
    const ssize_t got = ::read(fd, buffer, piece);
    ended = got <= 0;
    if (ended) break;
    text.append(buffer, static_cast<std::size_t>(got));
  }
  return text.substr(0, text.find('\n'));
}

void answer(int fd, std::string_view status, std::string_view text) {
  const std::string response = fmt::format(
      "HTTP/1.1 {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n"
      "Cache-Control: no-store\r\nConnection: close\r\n\r\n{}",
      status, text.size(), text);
  static_cast<void>(!::send(fd, response.data(), response.size(), MSG_NOSIGNAL));
}

}  // namespace

BrowserListener::BrowserListener() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  demand(socket_.number() >= 0, "socket");
  demand(::bind(socket_.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "bind");
  demand(::listen(socket_.number(), 4) == 0, "listen");
  demand(::getsockname(socket_.number(), reinterpret_cast<sockaddr*>(&address), &size) == 0, "getsockname");
  port_ = ntohs(address.sin_port);
}

std::string BrowserListener::redirect(const std::string& host) const {
  return fmt::format("http://{}:{}", host, port_);
}

Result<Secret> BrowserListener::wait(const std::string& state, std::chrono::seconds patience) {
  const Clock::time_point end = Clock::now() + patience;
  bool reads_input = true;
  while (Clock::now() < end) {
    pollfd ready[] = {{socket_.number(), POLLIN, 0}, {reads_input ? STDIN_FILENO : -1, POLLIN, 0}};
    if (::poll(ready, 2, milliseconds_until(end)) <= 0) continue;
    if (ready[1].revents != 0) {
      bool ended = false;
      const std::string line = first_line(STDIN_FILENO, end, ended, 1);
      if (line.find('?') != std::string::npos) return oauth::code_in(line, state);
      if (ended)
        reads_input = false;
      else if (!line.empty())
        fmt::print("That is no address with an answer in it: paste all of the page's address.\n");
      std::fflush(stdout);
    }
    if (ready[0].revents == 0) continue;
    const disk::Descriptor client(::accept4(socket_.number(), nullptr, nullptr, SOCK_CLOEXEC));
    bool left = false;
    const std::string line = first_line(client.number(), Clock::now() + request_patience, left);
    if (line.find("state=") == std::string::npos) {  // a browser asks for an icon, too
      answer(client.number(), "404 Not Found", "There is nothing here.\n");
      continue;
    }
    // Anybody on this machine may come by: only who knows the state is the browser that was sent away.
    if (line.find("state=" + state) == std::string::npos) {
      answer(client.number(), "400 Bad Request", "This is not the sign-in that relayd waits for.\n");
      continue;
    }
    Result<Secret> code = oauth::code_in(line, state);
    answer(
        client.number(), code ? "200 OK" : "400 Bad Request",
        code ? "relayd has the answer. You may close this window.\n" : "The provider refused the sign-in.\n");
    return code;
  }
  return Error{"nobody signed in in time"};
}

}  // namespace relayd::command
