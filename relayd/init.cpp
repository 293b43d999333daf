#include "init.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <utility>

#include "commands.hpp"
#include "new_file.hpp"
#include "route/presets.hpp"
#include "route/router.hpp"
#include "shared/base/ascii.hpp"
#include "shared/config/environment.hpp"
#include "shared/config/yaml_text.hpp"
#include "shared/process/user.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

namespace fs = std::filesystem;

int fail(int status, std::string_view text) {
  fmt::print(stderr, "relayd: {}\n", shown(text));
  return status;
}

// --- questions --------------------------------------------------------------------------------------------

// What is typed is not shown, until this goes, or a signal ends the command. One at a time.
class Hidden {
 public:
  Hidden() {
    is_terminal_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
    if (!is_terminal_) return;
    termios hidden = before_;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, end_by);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
  }
  ~Hidden() {
    if (!is_terminal_) return;
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) std::signal(signal, SIG_DFL);
  }

 private:
  static void end_by(int signal) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    std::signal(signal, SIG_DFL);
    ::raise(signal);
  }

  static inline termios before_{};
  bool is_terminal_ = false;
};

// A line of standard input, without its end; nothing: there is none.
std::optional<std::string> read_line() {
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

// An answer; nothing: the input has ended. An empty one is the default.
std::optional<std::string> ask(std::string_view question, std::string_view usual) {
  fmt::print("{}{}: ", question, usual.empty() ? "" : fmt::format(" [{}]", usual));
  std::fflush(stdout);
  std::optional<std::string> line = read_line();
  if (!line) return std::nullopt;
  const std::string_view answer = ascii::trimmed(*line, " \t");
  return std::string(answer.empty() ? usual : answer);
}

bool says_yes(const std::optional<std::string>& answer) {
  return answer && (ascii::lower(*answer) == "y" || ascii::lower(*answer) == "yes");
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(", ", at), text.size());
    if (end > at) words.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

// False: the input has ended.
bool ask_for_provider(InitOptions& options) {
  constexpr int tries = 5;
  for (int i = 0; i < tries; ++i) {
    const std::optional<std::string> answer =
        ask("Your provider of mail, or the host name of a mail server (?: which providers are known)", "");
    if (!answer) return false;
    if (route::find_preset(*answer)) {
      options.provider = *answer;
      return true;
    }
    if (answer->find('.') != std::string::npos) {
      options.host = *answer;
      return true;
    }
    fmt::print("Known are {}.\n", fmt::join(route::preset_names(), ", "));
  }
  return false;
}

bool ask_for_region(InitOptions& options) {
  const route::Provider* const preset = route::find_preset(options.provider);
  if (!preset || !options.region.empty() || preset->regions.size() < 2) {
    const bool any = preset && preset->regions.front().name == "*";
    if (!any || !options.region.empty()) return true;
  }
  std::vector<std::string_view> names;
  for (const auto& region : preset->regions) names.push_back(region.name.empty() ? "none" : region.name);
  const bool any = names.front() == "*";
  const std::optional<std::string> answer =
      ask(any ? "Its region, such as eu-west-1" : fmt::format("Its region, of {}", fmt::join(names, ", ")),
          any ? "" : names.front());
  if (!answer) return false;
  options.region = *answer == "none" ? "" : *answer;
  return true;
}

// Asks for what was not given. False: the input has ended.
bool ask_for_rest(InitOptions& options, Secret& password) {
  if (options.provider.empty() && options.host.empty() && !ask_for_provider(options)) return false;
  if (!ask_for_region(options)) return false;
  const route::Provider* const preset = route::find_preset(options.provider);
  if (!options.username) {
    if (preset) fmt::print("Username and password there: {}.\n", preset->account.hint);
    options.username = ask("Username (empty: none)", "");
    if (!options.username) return false;
  }
  const bool given =
      !options.password_file.empty() || !options.password_env.empty() || options.password_stdin;
  if (!options.username->empty() && !given) {
    const Hidden hidden;
    fmt::print("Password (not shown): ");
    std::fflush(stdout);
    std::optional<std::string> answer = read_line();
    fmt::print("\n");
    if (!answer) return false;
    password = Secret(std::move(*answer));
  }
  if (options.senders.empty()) {
    const std::optional<std::string> answer =
        ask("Who sends: addresses and @domains with commas between, * for everybody", "*");
    if (!answer) return false;
    options.senders = words_of(*answer);
  }
  if (options.listen.empty()) {
    const std::optional<std::string> answer = ask("Where programs hand in mail", default_listen);
    if (!answer) return false;
    options.listen = *answer;
  }
  return true;
}

// --- files ------------------------------------------------------------------------------------------------

// What is missing or too much; empty: all is there.
std::string complaint_of(const InitOptions& options) {
  if (options.provider.empty() == options.host.empty())
    return "name a provider (--provider) or a server (--host); on a terminal relayd asks";
  if (!options.provider.empty() && !route::find_preset(options.provider))
    return fmt::format("unknown provider '{}': known are {}; or name a server (--host)", options.provider,
                       fmt::join(route::preset_names(), ", "));
  if (!options.provider.empty() && (!options.port.empty() || !options.tls.empty()))
    return "--port and --tls are for --host: a provider's are known";
  if (!options.username) return "name the account (--username NAME), or none at all (--username \"\")";
  const int sources = static_cast<int>(!options.password_file.empty()) +
                      static_cast<int>(!options.password_env.empty()) +
                      static_cast<int>(options.password_stdin);
  if (sources > 1) return "--password-file, --password-env and --password-stdin: one of them is enough";
  if (options.username->empty() && sources > 0) return "a password needs a --username";
  return {};
}

// Errors that would make the file useless, before it is there.
bool is_good(const std::string& text, const std::string& file) {
  const config::Loaded loaded = config::load_text(text, file, config::process_environment());
  print(loaded.errors);
  if (!loaded.config) return false;
  const route::Router::Built built = route::Router::build(loaded.config);
  print(built.errors);
  return built.router != nullptr;
}

int from_environment(const InitOptions& options) {
  const config::Environment environment = config::process_environment();
  const config::Loaded loaded = config::load_environment(environment);
  print(loaded.errors);
  if (!loaded.config) return EX_CONFIG;
  const Result<std::string> text = config::file_of_environment(environment);
  if (!text) return fail(EX_CONFIG, text.error());
  if (!is_good(*text, options.output.empty() ? "environment" : options.output)) return EX_CONFIG;
  const std::string whole =
      "# relayd, as its RELAYD_* variables mean it. Secrets are still theirs.\n" + *text;
  if (options.output.empty()) {
    fmt::print("{}", shown_lines(whole));
    return EX_OK;
  }
  const std::string failure = write_new_file(options.output, whole, 0644);
  return failure.empty() ? EX_OK : fail(EX_CANTCREAT, failure);
}

// Writes both files; a password that is `given` to a file of its own.
int write(const InitOptions& options, const fs::path& file, const Secret& given) {
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (fs::exists(fs::symlink_status(file, error)))
    return fail(EX_CANTCREAT, fmt::format("{} is there already, and stays as it is", file.string()));
  std::string password, secret_file;
  if (!options.password_file.empty())
    password = fmt::format("{{file: {}}}", config::yaml_quoted(fs::absolute(options.password_file).string()));
  else if (!options.password_env.empty())
    password = fmt::format("{{env: {}}}", config::yaml_quoted(options.password_env));
  if (!given.empty()) {
    secret_file = file.parent_path() / (init_upstream(options) + ".password");
    const std::string failure = write_new_file(secret_file, given.reveal(), 0600, owner_of_secrets());
    if (!failure.empty()) return fail(EX_CANTCREAT, failure);
    password = fmt::format("{{file: {}}}", config::yaml_quoted(secret_file));
  }
  const std::string text = init_text(options, password);
  int status = is_good(text, file.string()) ? EX_OK : EX_USAGE;
  if (status == EX_OK)
    if (const std::string failure = write_new_file(file.string(), text, 0644); !failure.empty())
      status = fail(EX_CANTCREAT, failure);
  if (status != EX_OK) {
    if (!secret_file.empty()) ::unlink(secret_file.c_str());
    return status;
  }
  fmt::print("wrote {}\n", shown(file.string()));
  if (!secret_file.empty()) fmt::print("wrote {} (mode 0600)\n", shown(secret_file));
  return EX_OK;
}

}  // namespace

std::optional<uid_t> owner_of_secrets() {
  if (::geteuid() != 0) return std::nullopt;
  const Result<process::User> user = process::find_user("relayd");
  return user ? std::optional(user->uid) : std::nullopt;
}

int run_self(std::vector<std::string> words) {
  std::string program = "/proc/self/exe";
  std::vector<char*> arguments = {program.data()};
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  std::fflush(stdout);
  if (::posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments.data(), ::environ) != 0)
    return EX_OSERR;
  int status = 0;
  while (::waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return EX_OSERR;
  return WIFEXITED(status) ? WEXITSTATUS(status) : EX_OSERR;
}

int init(InitOptions options) {
  if (options.from_env) return from_environment(options);
  const bool asks = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDOUT_FILENO) == 1;
  Secret password;
  if (asks && !ask_for_rest(options, password))
    return fail(EX_USAGE, "there was no answer: nothing is written");
  if (const std::string complaint = complaint_of(options); !complaint.empty())
    return fail(EX_USAGE, complaint);
  if (options.password_stdin) {
    std::optional<std::string> line = read_line();
    if (!line || line->empty()) return fail(EX_USAGE, "there is no password on standard input");
    password = Secret(std::move(*line));
  }
  const fs::path file =
      fs::absolute(options.output.empty() ? default_config : options.output).lexically_normal();
  if (const int status = write(options, file, password); status != EX_OK) return status;
  if (const int status = run_self({"check", "-c", file.string()}); status != EX_OK) return status;
  const std::string next = fmt::format("relayd doctor -c {0}\n      relayd run -c {0}\n", file.string());
  if (asks && says_yes(ask("Try the way to the provider now? (relayd doctor)", "yes")))
    static_cast<void>(run_self({"doctor", "-c", file.string()}));
  fmt::print("Next: {}", shown_lines(next));
  return EX_OK;
}

}  // namespace relayd::command
