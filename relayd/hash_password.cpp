// relayd hash-password: what an account's `scram_sha_256` may hold instead of a password.
#include <fmt/format.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include <iostream>
#include <string>

#include "commands.hpp"
#include "shared/sasl/sasl.hpp"

namespace relayd::command {

namespace {

// What is typed on a terminal is not shown while this is there.
class NoEcho {
 public:
  NoEcho() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    active_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  NoEcho(const NoEcho&) = delete;
  NoEcho& operator=(const NoEcho&) = delete;
  ~NoEcho() {
    if (active_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }

 private:
  termios before_{};
  bool active_ = false;
};

Secret read_password() {
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  if (terminal) fmt::print(stderr, "Password: ");
  std::string line;
  {
    const NoEcho quiet;
    std::getline(std::cin, line);
  }
  if (terminal) fmt::print(stderr, "\n");
  if (line.ends_with('\r')) line.pop_back();
  Secret password(line);
  ::explicit_bzero(line.data(), line.size());
  return password;
}

}  // namespace

int hash_password() {
  const Secret password = read_password();
  if (password.empty()) {
    fmt::print(stderr, "relayd: no password on standard input\n");
    return EX_DATAERR;
  }
  const Result<std::string> kept = sasl::make_scram_secret(password);
  if (!kept) {
    fmt::print(stderr, "relayd: {}\n", kept.error());
    return EX_DATAERR;
  }
  fmt::print("{}\n", *kept);
  return EX_OK;
}

}  // namespace relayd::command
