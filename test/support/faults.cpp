// faults: a library to preload under relayd. It counts the calls by which a process changes the world, and
// lets a test have any of them be the last, fail, or do half of its work; it also moves the wall clock.
//
// The test writes what is to happen into a small file that both have mapped (FAULTS names it; faults.py is
// the other end), so that it can do so at any moment. It counts over all threads.
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

// In the order of CALLS in faults.py.
enum class Call {
  pwritev,
  fdatasync,
  fsync,
  create,
  open,
  renameat,
  unlinkat,
  mkdirat,
  write,
  send,
  recv,
  accept,
  watch
};

// In the order of ACTIONS in faults.py.
enum class Action : std::uint64_t { none, fail, shorten, kill, stall };

// As faults.py packs it.
struct Control {
  std::atomic<std::uint64_t> calls;    // a bit for each Call that counts
  std::atomic<std::uint64_t> counted;  // so many there were
  std::atomic<std::uint64_t> first;    // it strikes at this one, 1 being the first,
  std::atomic<std::uint64_t> every;    // then at every so manieth,
  std::atomic<std::uint64_t> times;    // so many times
  std::atomic<Action> action;
  std::atomic<std::uint64_t> error;         // errno of a failure
  std::atomic<std::int64_t> clock_seconds;  // added to the wall clock
};

Control* control = nullptr;

__attribute__((constructor)) void map_control() {
  const char* const path = std::getenv("FAULTS");
  if (!path) return;
  const int file = ::open(path, O_RDWR | O_CLOEXEC);
  if (file < 0) std::abort();
  void* const mapped = ::mmap(nullptr, sizeof(Control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (mapped == MAP_FAILED) std::abort();
  control = static_cast<Control*>(mapped);
}

// The function of that name which comes after ours.
template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

// What is to happen to this call. Does not return when it is the last.
Action strike(Call call) {
  if (!control || !(control->calls >> static_cast<unsigned>(call) & 1)) return Action::none;
  const std::uint64_t number = ++control->counted;
  if (number < control->first || (number - control->first) % control->every != 0) return Action::none;
  if ((number - control->first) / control->every >= control->times) return Action::none;
  const Action action = control->action;
  while (action == Action::stall && control->action == Action::stall) ::poll(nullptr, 0, 1);
  if (action == Action::fail) errno = static_cast<int>(control->error);
  if (action == Action::kill) {
    ::kill(::getpid(), SIGKILL);
    for (;;) ::pause();
  }
  return action;
}

bool fails(Call call) {
  return strike(call) == Action::fail;
}

std::int64_t clock_shift() {
  return control ? control->clock_seconds.load() : 0;
}

}  // namespace

extern "C" {

ssize_t pwritev(int file, const iovec* pieces, int count, off_t offset) {
  static const auto real = next<decltype(::pwritev)>("pwritev64");
  const Action action = strike(Call::pwritev);
  if (action == Action::fail) return -1;
  if (action != Action::shorten) return real(file, pieces, count, offset);
  const iovec one{pieces->iov_base, 1};
  return real(file, &one, 1, offset);
}

int fdatasync(int file) {
  static const auto real = next<decltype(::fdatasync)>("fdatasync");
  return fails(Call::fdatasync) ? -1 : real(file);
}

int fsync(int file) {
  static const auto real = next<decltype(::fsync)>("fsync");
  return fails(Call::fsync) ? -1 : real(file);
}

int openat(int directory, const char* path, int flags, ...) {
  static const auto real = next<decltype(::openat)>("openat64");
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return fails(flags & O_CREAT ? Call::create : Call::open) ? -1 : real(directory, path, flags, mode);
}

int renameat(int from_directory, const char* from, int to_directory, const char* to) noexcept {
  static const auto real = next<decltype(::renameat)>("renameat");
  return fails(Call::renameat) ? -1 : real(from_directory, from, to_directory, to);
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  static const auto real = next<decltype(::unlinkat)>("unlinkat");
  return fails(Call::unlinkat) ? -1 : real(directory, path, flags);
}

int mkdirat(int directory, const char* path, mode_t mode) noexcept {
  static const auto real = next<decltype(::mkdirat)>("mkdirat");
  return fails(Call::mkdirat) ? -1 : real(directory, path, mode);
}

ssize_t write(int file, const void* bytes, std::size_t size) {
  static const auto real = next<decltype(::write)>("write");
  return fails(Call::write) ? -1 : real(file, bytes, size);
}

ssize_t send(int socket, const void* bytes, std::size_t size, int flags) {
  static const auto real = next<decltype(::send)>("send");
  const Action action = strike(Call::send);
  if (action == Action::fail) return -1;
  return real(socket, bytes, action == Action::shorten && size > 0 ? 1 : size, flags);
}

ssize_t recv(int socket, void* bytes, std::size_t size, int flags) {
  static const auto real = next<decltype(::recv)>("recv");
  const Action action = strike(Call::recv);
  if (action == Action::fail) return -1;
  return real(socket, bytes, action == Action::shorten && size > 0 ? 1 : size, flags);
}

// Without an address it is the one that a spare descriptor has made room for.
int accept4(int socket, sockaddr* address, socklen_t* length, int flags) {
  static const auto real = next<decltype(::accept4)>("accept4");
  return address && fails(Call::accept) ? -1 : real(socket, address, length, flags);
}

int inotify_init1(int flags) noexcept {
  static const auto real = next<decltype(::inotify_init1)>("inotify_init1");
  return fails(Call::watch) ? -1 : real(flags);
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static const auto real = next<decltype(::clock_gettime)>("clock_gettime");
  const int result = real(clock, time);
  if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += clock_shift();
  return result;
}

int gettimeofday(timeval* time, void* zone) noexcept {
  static const auto real = next<decltype(::gettimeofday)>("gettimeofday");
  const int result = real(time, zone);
  if (result == 0) time->tv_sec += clock_shift();
  return result;
}

std::time_t time(std::time_t* result) noexcept {
  static const auto real = next<decltype(::time)>("time");
  const std::time_t now = real(nullptr) + clock_shift();
  if (result) *result = now;
  return now;
}

}  // extern "C"
