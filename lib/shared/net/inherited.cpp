#include "shared/net/inherited.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

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

int handed_over() {
  return number(variable("LISTEN_PID")) == ::getpid() ? number(variable("LISTEN_FDS")) : 0;
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
  ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
  return descriptor;
}

}  // namespace relayd::net
