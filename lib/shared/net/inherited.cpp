#include "shared/net/inherited.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <set>

namespace relayd::net {

namespace {

constexpr int first_descriptor = 3;  // SD_LISTEN_FDS_START

std::string_view variable(const char* name) {
  const char* const value = std::getenv(name);
  return value ? value : "";
}

int number(std::string_view text) {
  int value = -1;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  return fault == std::errc() && stop == text.data() + text.size() ? value : -1;
}

// The place of `name` in "smtp:submission"; -1: nowhere.
int place(std::string_view names, std::string_view name) {
  for (int place = 0;; ++place) {
    const std::size_t colon = names.find(':');
    if (names.substr(0, colon) == name) return place;
    if (colon == std::string_view::npos) return -1;
    names.remove_prefix(colon + 1);
  }
}

// A count beyond what a process may have open is nonsense, and as good as none.
int handed_over() {
  constexpr int most = 1 << 20;
  const int count = number(variable("LISTEN_PID")) == ::getpid() ? number(variable("LISTEN_FDS")) : 0;
  return count <= most ? count : 0;
}

// Those that a listener has asked for.
std::set<int>& taken() {
  static std::set<int> descriptors;
  return descriptors;
}

int take(int descriptor) {
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  taken().insert(descriptor);
  return descriptor;
}

int option(int descriptor, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

// What is wrong with it as a socket of a listener; null: nothing.
const char* fault_of(int descriptor) {
  if (::fcntl(descriptor, F_GETFD) < 0) return "it is not open";
  const int type = option(descriptor, SO_TYPE);
  if (type < 0) return "it is no socket";
  if (type != SOCK_STREAM) return "it is no stream socket: the unit wants ListenStream=";
  if (option(descriptor, SO_ACCEPTCONN) != 1) return "it does not listen";
  return nullptr;
}

// "127.0.0.1:25", "[::1]:25", "unix:PATH"; empty: another family.
std::string text_of(const sockaddr_storage& address, socklen_t size) {
  char text[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &ip.sin_addr, text, sizeof text);
    return fmt::format("{}:{}", text, ntohs(ip.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &ip.sin6_addr, text, sizeof text);
    return fmt::format("[{}]:{}", text, ntohs(ip.sin6_port));
  }
  if (address.ss_family != AF_UNIX || size <= offsetof(sockaddr_un, sun_path)) return "";
  const auto& name = reinterpret_cast<const sockaddr_un&>(address);
  return fmt::format(
      "unix:{}",
      std::string_view(name.sun_path, ::strnlen(name.sun_path, size - offsetof(sockaddr_un, sun_path))));
}

// The address that it is bound to.
std::string bound_to(int descriptor) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  return text_of(address, size);
}

}  // namespace

void close_what_was_not_handed_over() {
  ::close_range(static_cast<unsigned>(first_descriptor + std::max(0, handed_over())), ~0U, 0);
}

Result<int> inherited_socket(std::string_view name) {
  const int count = handed_over();
  if (count <= 0) return Error{"the service manager handed over no socket (LISTEN_PID, LISTEN_FDS)"};
  int index = place(variable("LISTEN_FDNAMES"), name);
  if (index < 0) index = number(name) - first_descriptor;
  if (index < 0 || index >= count)
    return Error{
        fmt::format("none of the {} sockets that the service manager handed over is '{}'", count, name)};
  const int descriptor = first_descriptor + index;
  if (const char* const fault = fault_of(descriptor))
    return Error{fmt::format("descriptor {} was handed over by the service manager as a socket, and {}",
                             descriptor, fault)};
  if (taken().contains(descriptor))
    return Error{
        fmt::format("another listener has taken descriptor {} of the service manager already", descriptor)};
  return take(descriptor);
}

std::optional<int> inherited_socket_at(const sockaddr* address, socklen_t size) {
  for (int descriptor = first_descriptor; descriptor < first_descriptor + handed_over(); ++descriptor) {
    if (fault_of(descriptor) || taken().contains(descriptor)) continue;
    sockaddr_storage wanted{};
    std::memcpy(&wanted, address, std::min<std::size_t>(size, sizeof wanted));
    if (text_of(wanted, size) == bound_to(descriptor)) return take(descriptor);
  }
  return std::nullopt;
}

std::vector<std::string> unused_inherited_sockets() {
  std::vector<std::string> unused;
  for (int descriptor = first_descriptor; descriptor < first_descriptor + handed_over(); ++descriptor)
    if (!fault_of(descriptor) && !taken().contains(descriptor)) unused.push_back(bound_to(descriptor));
  return unused;
}

}  // namespace relayd::net
