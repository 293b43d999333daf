#include "shared/config/command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "shared/base/time.hpp"

namespace relayd::config {
namespace {

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// What a program may know of our environment, which holds passwords of accounts.
std::vector<std::string> environment_of_programs() {
  std::vector<std::string> environment;
  for (const char* const name : {"PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR",
                                 "XDG_RUNTIME_DIR", "CREDENTIALS_DIRECTORY"})
    if (const char* const value = std::getenv(name)) environment.push_back(fmt::format("{}={}", name, value));
  return environment;
}

// Descriptors of the child, and signals as a fresh program expects them (a daemon ignores SIGPIPE).
class SpawnPlan {
 public:
  explicit SpawnPlan(int output) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  // 0 or an errno.
  int spawn(pid_t& child, const std::vector<std::string>& argv) {
    std::vector<char*> arguments = pointers_to(argv);
    const std::vector<std::string> environment = environment_of_programs();
    return ::posix_spawnp(&child, arguments[0], &actions_, &attributes_, arguments.data(),
                          pointers_to(environment).data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

int milliseconds_until(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  return static_cast<int>(std::max<std::int64_t>(0, left.count()));
}

// Reads until the end of the output. 0 or an errno (ETIMEDOUT, EFBIG).
int collect(int fd, Deadline deadline, std::size_t most, std::string& out) {
  for (;;) {
    pollfd readable{fd, POLLIN, 0};
    const int ready = ::poll(&readable, 1, milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) return errno;
    if (ready == 0) return ETIMEDOUT;
    if (ready < 0) continue;
    char buffer[4096];
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return 0;
    if (got < 0) return errno;
    out.append(buffer, static_cast<std::size_t>(got));
    ::explicit_bzero(buffer, sizeof buffer);
    if (out.size() > most) return EFBIG;
  }
}

// Waits for the end of a child that has closed its output. 0 or an errno.
int wait_for_end(pid_t child, Deadline deadline, int& status) {
  for (;;) {
    const pid_t ended = ::waitpid(child, &status, WNOHANG);
    if (ended == child) return 0;
    if (ended < 0) return errno;
    if (milliseconds_until(deadline) == 0) return ETIMEDOUT;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

}  // namespace

Result<std::string> run_command(const std::vector<std::string>& argv, std::chrono::milliseconds limit,
                                std::size_t most) {
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    return Error{fmt::format("cannot run {}: {}", argv[0], std::strerror(errno))};
  pid_t child = 0;
  const int refused = SpawnPlan(ends[1]).spawn(child, argv);
  ::close(ends[1]);
  if (refused != 0) {
    ::close(ends[0]);
    const bool confined =
        refused == EPERM;  // what seccomp says of a relay that needed no programs at its start
    return Error{
        fmt::format("cannot run {}: {}{}", argv[0], std::strerror(refused),
                    confined ? "; a relay that was started without `command:` may run programs only after a "
                               "restart"
                             : "")};
  }

  std::string output;
  int status = 0;
  int failure = collect(ends[0], deadline, most, output);
  ::close(ends[0]);
  if (failure == 0) failure = wait_for_end(child, deadline, status);
  if (failure == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;

  ::explicit_bzero(output.data(), output.size());
  if (failure == 0 && WIFEXITED(status))
    return Error{fmt::format("{} ended with status {}", argv[0], WEXITSTATUS(status))};
  if (failure == 0) return Error{fmt::format("{} was ended by signal {}", argv[0], WTERMSIG(status))};
  if (failure != ECHILD) {
    ::kill(-child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  if (failure == ETIMEDOUT) return Error{fmt::format("{} did not end within {} ms", argv[0], limit.count())};
  if (failure == EFBIG) return Error{fmt::format("{} printed more than {} octets", argv[0], most)};
  return Error{fmt::format("{}: {}", argv[0], std::strerror(failure))};
}

}  // namespace relayd::config
