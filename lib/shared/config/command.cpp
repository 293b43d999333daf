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
#include <iterator>
#include <utility>

#include "shared/base/time.hpp"

namespace relayd::config {
namespace {

constexpr std::size_t longest_complaint = 500;

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
  SpawnPlan(int output, int complaint) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions_, complaint, STDERR_FILENO);
    ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    ::posix_spawnattr_init(&attributes_);
    sigset_t signals;
    ::sigemptyset(&signals);
    ::posix_spawnattr_setsigmask(&attributes_, &signals);
    ::sigfillset(&signals);
    ::posix_spawnattr_setsigdefault(&attributes_, &signals);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  // 0 or an errno.
  int spawn(pid_t& child, const std::vector<std::string>& argv, const std::vector<std::string>& variables) {
    std::vector<char*> arguments = pointers_to(argv);
    std::vector<std::string> environment = environment_of_programs();
    environment.insert(environment.end(), variables.begin(), variables.end());
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

// The reading end of a pipe whose other end a child writes to, and what came.
struct Output {
  int read_end = -1;
  int write_end = -1;
  std::size_t most = 0;  // more is an error, or only the last octets are kept
  bool more_is_error = false;
  std::string text = {};

  bool open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    read_end = ends[0];
    write_end = ends[1];
    return true;
  }
  void close(int Output::*end) {
    if (this->*end >= 0) ::close(std::exchange(this->*end, -1));
  }
  ~Output() {
    close(&Output::read_end);
    close(&Output::write_end);
    ::explicit_bzero(text.data(), text.size());
  }

  // 0 or an errno; closes the end once nothing more comes.
  int take() {
    char buffer[4096];
    const ssize_t got = ::read(read_end, buffer, sizeof buffer);
    if (got < 0) return errno == EINTR ? 0 : errno;
    if (got == 0) close(&Output::read_end);
    text.append(buffer, static_cast<std::size_t>(got));
    ::explicit_bzero(buffer, sizeof buffer);
    if (more_is_error) return text.size() > most ? EFBIG : 0;
    text.erase(0, text.size() - std::min(text.size(), most));
    return 0;
  }
};

// Reads until the end of the first output, and what comes of the second meanwhile. 0 or an errno (ETIMEDOUT,
// EFBIG).
int collect(Output& output, Output& complaint, Deadline deadline) {
  while (output.read_end >= 0) {
    pollfd readable[] = {{output.read_end, POLLIN, 0}, {complaint.read_end, POLLIN, 0}};
    const int ready = ::poll(readable, std::size(readable), milliseconds_until(deadline));
    if (ready < 0 && errno != EINTR) return errno;
    if (ready == 0) return ETIMEDOUT;
    if (ready < 0) continue;
    if (readable[1].revents != 0)
      if (const int failure = complaint.take(); failure != 0) return failure;
    if (readable[0].revents != 0)
      if (const int failure = output.take(); failure != 0) return failure;
  }
  return 0;
}

// What the program said of its trouble: its last line.
std::string in_its_words(std::string_view complaint) {
  while (complaint.ends_with('\n')) complaint.remove_suffix(1);
  complaint.remove_prefix(complaint.rfind('\n') + 1);
  return complaint.empty() ? "" : fmt::format(": {}", complaint);
}

// Waits for the end of a child that has closed its output, and reads what it complains of. 0 or an errno.
int wait_for_end(pid_t child, Output& complaint, Deadline deadline, int& status) {
  constexpr int pause = 5;  // milliseconds
  for (bool ended = false;;) {
    const pid_t found = ended ? child : ::waitpid(child, &status, WNOHANG);
    if (found < 0) return errno;
    ended = found == child;
    // What is in the pipe when it has ended is read; whoever else has the other end is not waited for.
    pollfd readable{complaint.read_end, POLLIN, 0};
    if (::poll(&readable, 1, ended ? 0 : pause) > 0) {
      if (const int failure = complaint.take(); failure != 0) return failure;
    } else if (ended) {
      return 0;
    }
    if (milliseconds_until(deadline) == 0) return ended ? 0 : ETIMEDOUT;
  }
}

}  // namespace

Result<std::string> run_command(const std::vector<std::string>& argv, std::chrono::milliseconds limit,
                                std::size_t most, const std::vector<std::string>& variables) {
  const Deadline deadline = std::chrono::steady_clock::now() + limit;
  Output output{.most = most, .more_is_error = true};
  Output complaint{.most = longest_complaint};
  if (!output.open() || !complaint.open())
    return Error{fmt::format("cannot run {}: {}", argv[0], std::strerror(errno))};
  pid_t child = 0;
  const int refused = SpawnPlan(output.write_end, complaint.write_end).spawn(child, argv, variables);
  output.close(&Output::write_end);
  complaint.close(&Output::write_end);
  if (refused != 0) {
    const bool confined =
        refused == EPERM;  // what seccomp says of a relay that needed no programs at its start
    return Error{
        fmt::format("cannot run {}: {}{}", argv[0], std::strerror(refused),
                    confined ? "; a relay that was started without `command:` may run programs only after a "
                               "restart"
                             : "")};
  }

  int status = 0;
  int failure = collect(output, complaint, deadline);
  if (failure == 0) failure = wait_for_end(child, complaint, deadline, status);
  if (failure == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::move(output.text);

  const std::string words = in_its_words(complaint.text);
  if (failure == 0 && WIFEXITED(status))
    return Error{fmt::format("{} ended with status {}{}", argv[0], WEXITSTATUS(status), words)};
  if (failure == 0)
    return Error{fmt::format("{} was ended by signal {}{}", argv[0], WTERMSIG(status), words)};
  if (failure != ECHILD) {
    ::kill(-child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  if (failure == ETIMEDOUT) return Error{fmt::format("{} did not end within {} ms", argv[0], limit.count())};
  if (failure == EFBIG) return Error{fmt::format("{} printed more than {} octets", argv[0], most)};
  return Error{fmt::format("{}: {}", argv[0], std::strerror(failure))};
}

}  // namespace relayd::config
