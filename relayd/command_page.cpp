#include "command_page.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace relayd::command {

namespace {

constexpr std::string_view page_head =
    R"(# Commands

All commands of relayd, with their options and exit codes. `relayd help --markdown` makes this page, and
`relayd help COMMAND` or `relayd COMMAND --help` says the same of one command.

Exit codes are those of sysexits.h where one fits. Every command ends with 64 where it does not understand its command
line: it then names the word, and the nearest one that it knows.

Commands that ask the daemon find its admin socket by `--socket`, else by the variable `RELAYD_ADMIN`, else by the
configuration (`admin.socket`, `queue.directory`), else at the default place. They judge nothing else of the file: an
error in it stops none of them, unless it hides where the daemon is (78). `healthcheck` then looks at the default places,
and `status --check` ends with 2. `explain --live` finds the daemon in the same way, but needs a file without errors.
)";

constexpr std::string_view page_end = R"(
## Files

- `/etc/relayd/relayd.yaml`: The configuration. relayd.yaml(5) has [its keys](keys.md).
- `/var/spool/relayd`: The queue. Its `admin.sock` is the default admin socket.

## Environment

- `RELAYD_CONFIG`: The configuration file, where no `--config` names one.
- `RELAYD_ADMIN`: The admin socket, where no `--socket` names one.
- `RELAYD_HTTP_TOKEN`, `RELAYD_HTTP_TOKEN_FILE`: The token, or the file that has it, for `--url`.
- `RELAYD_DNS`: DNS servers in place of those of resolv.conf(5).

Without a file other variables are [the configuration](start.md#without-a-file).
)";

// Where a page tells more of a command.
constexpr std::pair<std::string_view, std::string_view> pages[] = {
    {"check", "[Configuration](configuration.md)"},
    {"demo", "[Try it](../README.md#try-it)"},
    {"dkim keygen", "[DKIM](message.md#dkim)"},
    {"dns", "[DNS records](message.md#dns-records)"},
    {"doctor", "[The doctor](operations.md#the-doctor)"},
    {"healthcheck", "[The start](operations.md#the-start), [Containers](intake.md#containers)"},
    {"history", "[What became of it](operations.md#what-became-of-it)"},
    {"init", "[Without a file](start.md#without-a-file)"},
    {"lane", "[An account for each sender](senders.md#an-account-for-each-sender)"},
    {"mailq", "[sendmail](sendmail.md)"},
    {"newaliases", "[sendmail](sendmail.md)"},
    {"oauth", "[Access tokens](senders.md#access-tokens-oauth-2)"},
    {"presets", "[Providers](providers.md)"},
    {"queue", "[The queue](operations.md#the-queue)"},
    {"reload", "[A changed configuration](configuration.md#a-changed-configuration)"},
    {"run", "[The start](operations.md#the-start)"},
    {"sandbox", "[A fake of a provider](configuration.md#a-fake-of-a-provider)"},
    {"sendmail", "[sendmail](sendmail.md)"},
    {"status", "[How it stands](window.md#how-it-stands), [Metrics](window.md#metrics)"},
    {"suppress", "[Suppressed recipients](message.md#suppressed-recipients)"},
};

// Options and variables as code, where they are not yet.
std::string marked(std::string_view text) {
  std::string result;
  bool in_code = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const bool begins_word = at == 0 || text[at - 1] == ' ' || text[at - 1] == '(';
    const bool named = rest.starts_with("--") || rest.starts_with("$RELAYD_") || rest.starts_with("RELAYD_");
    std::size_t length = 1;
    if (begins_word && named && !in_code) {
      length = std::min(rest.find_first_of(" ,;:.)"), rest.size());
      result += fmt::format("`{}`", rest.substr(0, length));
    } else {
      in_code ^= rest.front() == '`';
      result += rest.front();
    }
    at += length;
  }
  return result;
}

// "FILE", or the words that it may be, where they are few.
std::string value_of(const OptionFacts& option) {
  const bool shows_words = !option.words.empty() && option.words.size() < 8;
  return (shows_words ? fmt::format("{}", fmt::join(option.words, "|")) : option.value) +
         (option.repeated ? "..." : "");
}

// "`-c`, `--config FILE`"
std::string title(const OptionFacts& option) {
  const std::string value = value_of(option);
  if (option.names.empty()) return fmt::format("`{}`", value);
  std::string joined;
  for (const std::string& name : option.names)
    joined += fmt::format("{}`{}{}`", joined.empty() ? "" : ", ", name,
                          value.empty() || &name != &option.names.back() ? "" : " " + value);
  return joined;
}

// "relayd queue list [OPTIONS] [ID...]"
std::string synopsis(const CommandFacts& command) {
  std::string line = "relayd " + command.path;
  bool has_more = false;
  for (const OptionFacts& option : command.options) {
    has_more |= !option.required;
    if (option.required) line += fmt::format(" {} {}", option.names.back(), value_of(option));
  }
  if (has_more) line += " [OPTIONS]";
  for (const OptionFacts& argument : command.arguments)
    line += argument.required ? " " + value_of(argument) : fmt::format(" [{}]", value_of(argument));
  return line;
}

std::string command_text(const CommandFacts& command) {
  std::string text =
      fmt::format("\n## relayd {}\n\n    {}\n\n{}.", command.path, synopsis(command), marked(command.says));
  if (!command.more.empty()) text += " " + marked(command.more);
  text += "\n";
  if (!command.options.empty() || !command.arguments.empty()) text += "\n";
  for (const auto& list : {command.arguments, command.options})
    for (const OptionFacts& option : list)
      text += fmt::format("- {}: {}\n", title(option), marked(option.says));
  if (!command.example.empty()) text += fmt::format("\nExample:\n\n    {}\n", command.example);
  if (!command.exit_codes.empty()) text += fmt::format("\nExit codes: {}.\n", marked(command.exit_codes));
  return text;
}

// What only leads to the commands below it.
std::string group_text(const CommandFacts& command) {
  std::string text = fmt::format("\n## relayd {}\n\n{}:\n", command.path, command.says);
  for (std::size_t i = 0; i < command.commands.size(); ++i)
    text += fmt::format("{}[`{}`](#relayd-{}-{})", i == 0 ? "" : ", ", command.commands[i], command.path,
                        command.commands[i]);
  return text + ".\n";
}

}  // namespace

std::string command_page(const std::vector<CommandFacts>& commands) {
  std::string page(page_head);
  for (const CommandFacts& command : commands) {
    if (command.path.empty()) continue;
    page += command.commands.empty() ? command_text(command) : group_text(command);
    const auto* const more =
        std::ranges::find(pages, command.path, &std::pair<std::string_view, std::string_view>::first);
    if (more != std::end(pages)) page += fmt::format("\nMore: {}.\n", more->second);
  }
  return page + std::string(page_end);
}

}  // namespace relayd::command
