#include "daemon_connection.hpp"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "daemon_http.hpp"
#include "shown.hpp"

namespace relayd::command {

using nlohmann::json;

DaemonConnection::DaemonConnection(std::string address, std::chrono::seconds patience)
    : address_(std::move(address)), patience_(patience) {
  if (is_url(address_)) return;
  socket_ = disk::Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval bound{.tv_sec = patience.count(), .tv_usec = 0};
  ::setsockopt(socket_.number(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  ::setsockopt(socket_.number(), SOL_SOCKET, SO_SNDTIMEO, &bound, sizeof bound);  // of connect as well
  sockaddr_un place{};
  place.sun_family = AF_UNIX;
  address_.copy(place.sun_path, sizeof place.sun_path - 1);
  if (::connect(socket_.number(), reinterpret_cast<sockaddr*>(&place), sizeof place) != 0) fail(errno);
}

bool DaemonConnection::ask(const watch::Request& request) {
  if (!is_url(address_)) return connected() && send(watch::to_line(request));
  Result<std::string> answer = ask_over_http(address_, request, patience_);
  if (answer)
    received_ = std::move(*answer);
  else
    why_ = answer.error();
  return connected();
}

bool DaemonConnection::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) return fail(errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool DaemonConnection::line(std::string& out) {
  std::size_t end = 0;
  while ((end = received_.find('\n', begin_)) == std::string::npos)
    if (!more()) return false;
  out.assign(received_, begin_, end - begin_);
  begin_ = end + 1;
  return true;
}

namespace {

constexpr std::size_t longest_held = 1 << 20;

}  // namespace

bool DaemonConnection::copy(std::uint64_t octets, bool as_it_is) {
  std::string held;  // of a line that has not ended
  while (octets > 0) {
    if (begin_ == received_.size() && !more()) return false;
    const std::size_t count = std::min<std::uint64_t>(octets, received_.size() - begin_);
    held.append(received_, begin_, count);
    begin_ += count;
    octets -= count;
    const bool all = octets == 0 || as_it_is || held.size() > longest_held;
    const std::size_t whole = all ? held.size() : held.rfind('\n') + 1;  // none: 0
    const std::string_view out = std::string_view(held).substr(0, whole);
    fmt::print("{}", as_it_is ? std::string(out) : shown_lines(out));
    held.erase(0, whole);
  }
  return true;
}

bool DaemonConnection::more() {
  received_.erase(0, begin_);
  begin_ = 0;
  char buffer[64 * 1024];
  const ssize_t count = is_url(address_) ? 0 : ::recv(socket_.number(), buffer, sizeof buffer, 0);
  const bool is_late = count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (is_late)
    why_ = fmt::format("relayd does not answer on {} within {} s", shown(address_), patience_.count());
  if (count == 0) why_ = "relayd went away before it answered";
  if (count < 0 && !is_late) return fail(errno);
  if (count <= 0) return false;
  received_.append(buffer, static_cast<std::size_t>(count));
  return true;
}

bool DaemonConnection::fail(int error) {
  const bool forbidden = error == EACCES || error == EPERM;
  why_ =
      fmt::format("relayd does not answer on {}: {}. {}", shown(address_), std::strerror(error),
                  forbidden ? "Ask as its user, or as root"
                            : "Start it with `relayd run`, or name the configuration it runs with (-c FILE) "
                              "or its admin socket (--socket PATH)");
  return false;
}

int DaemonConnection::no_answer() const {
  fmt::print(stderr, "{}\n", why_);
  return EX_UNAVAILABLE;
}

json parse_answer(std::string_view text) {
  constexpr int deepest = 32;
  const auto keep = [](int depth, json::parse_event_t, const json&) { return depth <= deepest; };
  return json::parse(text, keep, false);
}

std::string text(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) return "";
  return shown(found->is_string() ? found->get<std::string>() : found->dump());
}

}  // namespace relayd::command
