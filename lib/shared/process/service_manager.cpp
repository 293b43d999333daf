#include "shared/process/service_manager.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace relayd::process {

namespace {

// The variable's value; it is gone afterwards.
std::string take(const char* name) {
  const char* const value = std::getenv(name);
  std::string text = value ? value : "";
  ::unsetenv(name);
  return text;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [stop, fault] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (fault != std::errc() || stop != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

std::int64_t microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

// A path, or "@" and the name of an abstract socket. 0: neither.
socklen_t address_of(std::string_view name, sockaddr_un& address) {
  if (name.size() < 2 || name.size() >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@'))
    return 0;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  const std::size_t before = offsetof(sockaddr_un, sun_path);
  if (name[0] == '/') return static_cast<socklen_t>(before + name.size() + 1);
  address.sun_path[0] = '\0';
  return static_cast<socklen_t>(before + name.size());
}

}  // namespace

ServiceManager::ServiceManager() {
  const std::string name = take("NOTIFY_SOCKET");
  const std::optional<std::int64_t> interval = number(take("WATCHDOG_USEC"));
  const std::string watched = take("WATCHDOG_PID");
  size_ = address_of(name, address_);
  if (size_ == 0) return;
  socket_ = disk::Descriptor(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (interval && (watched.empty() || number(watched) == ::getpid()))
    watchdog_ = std::chrono::duration_cast<Duration>(std::chrono::microseconds(*interval));
}

void ServiceManager::tell(const std::string& lines) {
  if (!listens()) return;
  const auto* const address = reinterpret_cast<const sockaddr*>(&address_);
  ::sendto(socket_.number(), lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT, address, size_);
}

void ServiceManager::ready() {
  tell("READY=1");
}

// MONOTONIC_USEC is what Type=notify-reload wants.
void ServiceManager::reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t monotonic = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic));
}

void ServiceManager::stopping() {
  tell("STOPPING=1");
}

void ServiceManager::status(std::string_view text) {
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');  // which would begin another variable
  tell("STATUS=" + line);
}

void ServiceManager::extend_start(Duration by) {
  tell(fmt::format("EXTEND_TIMEOUT_USEC={}", microseconds(by)));
}

void ServiceManager::alive() {
  tell("WATCHDOG=1");
}

}  // namespace relayd::process
