// relayd status --watch: a screen of the status that is drawn again every two seconds, as top(1) does.
#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "paint.hpp"
#include "shared/mail/utf8.hpp"
#include "status.hpp"
#include "status_text.hpp"

namespace relayd::command {

namespace {

constexpr int interval = 2000;  // milliseconds

volatile std::sig_atomic_t ended = 0;

void end(int) {
  ended = 1;
}

// A signal ends a poll() and with it the watch; a new size of the terminal only the poll.
void hear_signals() {
  struct sigaction action {};
  action.sa_handler = end;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaction(signal, &action, nullptr);
  action.sa_handler = [](int) {};
  ::sigaction(SIGWINCH, &action, nullptr);
}

// While one lives, keys come as they are pressed. Does nothing where standard input is no terminal.
class Keys {
 public:
  Keys() : is_terminal_(::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!is_terminal_) return;
    termios now = before_;
    now.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
  }
  ~Keys() {
    if (is_terminal_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  // Waits for the time of the next screen. True: q was pressed.
  bool quits() const {
    pollfd key{is_terminal_ ? STDIN_FILENO : -1, POLLIN, 0};
    if (::poll(&key, 1, interval) <= 0) return false;
    char pressed = 0;
    return ::read(STDIN_FILENO, &pressed, 1) <= 0 || pressed == 'q' || pressed == 'Q';
  }

 private:
  termios before_{};
  bool is_terminal_;
};

// While one lives, the terminal shows a screen of its own, and gets the old one back at the end.
class Screen {
 public:
  Screen() { show("\x1b[?1049h\x1b[?25l"); }
  ~Screen() { show("\x1b[?25h\x1b[?1049l"); }
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  void draw(std::string_view lines) const {
    winsize size{};
    if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0) size = {24, 80, 0, 0};
    std::string out = "\x1b[H";
    for (int row = 0; row < size.ws_row && !lines.empty(); ++row) {
      const std::string_view line = lines.substr(0, lines.find('\n'));
      const std::string one = painted(std::string(begin_of(line, size.ws_col)) + '\n');
      // Without a line end in the last row, which would scroll.
      out += (row > 0 ? "\n" : "") + one.substr(0, one.size() - 1) + "\x1b[K";
      lines.remove_prefix(std::min(line.size() + 1, lines.size()));
    }
    show(out + "\x1b[J");
  }

 private:
  static void show(std::string_view text) {
    fmt::print("{}", text);
    std::fflush(stdout);
  }

  // So many characters of it.
  static std::string_view begin_of(std::string_view line, std::size_t columns) {
    std::string_view rest = line;
    for (; columns > 0 && !rest.empty(); --columns) {
      const std::optional<mail::CodePoint> point = mail::first_code_point(rest);
      rest.remove_prefix(point ? point->octets : 1);
    }
    return line.substr(0, line.size() - rest.size());
  }
};

std::string text_of(const Options& options, const std::string& address) {
  Standing standing = ask_status(address);
  if (!standing.status) return standing.why + "\n";
  narrow(*standing.status, options);
  return status_text(*standing.status, true);
}

}  // namespace

int watch_status(const Options& options, const std::string& address) {
  hear_signals();
  if (::isatty(STDOUT_FILENO) != 1) {
    while (ended == 0) {
      fmt::print("{}\n", text_of(options, address));
      if (std::fflush(stdout) != 0) break;
      ::poll(nullptr, 0, interval);
    }
    return EX_OK;
  }
  const Keys keys;
  const Screen screen;
  do screen.draw(text_of(options, address));
  while (ended == 0 && !keys.quits() && ended == 0);
  return EX_OK;
}

}  // namespace relayd::command
