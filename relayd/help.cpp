#include "help.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <span>
#include <string>

#include "command_page.hpp"
#include "command_tree.hpp"
#include "completion.hpp"
#include "shared/config/suggest.hpp"
#include "shown.hpp"

namespace relayd::command {

namespace {

std::vector<const CLI::App*> commands_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

const CLI::App* find(const CLI::App& app, std::string_view word) {
  const std::vector<const CLI::App*> commands = commands_of(app);
  const auto found =
      std::ranges::find_if(commands, [word](const CLI::App* one) { return one->get_name() == word; });
  return found == commands.end() ? nullptr : *found;
}

// The command that a line names, by its words: "relayd queue list".
struct Named {
  std::string before;  // "relayd queue"
  const CLI::App* command;
  std::string_view unknown = {};  // the first word that names no command; empty: all do
};

Named named_by(const CLI::App& app, std::span<const std::string_view> words) {
  Named named{"", &app};
  for (const std::string_view word : words) {
    const CLI::App* const next = find(*named.command, word);
    if (!next) {
      named.unknown = word;
      break;
    }
    named.before += (named.before.empty() ? "" : " ") + named.command->get_name();
    named.command = next;
  }
  return named;
}

// Commands with that name as a later word: "`relayd queue retry`".
std::string elsewhere(const CLI::App& app, std::string_view word) {
  std::vector<std::string> found;
  for (const CLI::App* const command : commands_of(app))
    if (find(*command, word)) found.push_back(fmt::format("`relayd {} {}`", command->get_name(), word));
  return fmt::format("{}", fmt::join(found, ", "));
}

// "relayd queue list"
std::string path_of(const CLI::App& app, const Named& named) {
  return named.command == &app ? "relayd" : named.before + " " + named.command->get_name();
}

int complain(const CLI::App& app, const Named& named) {
  const bool at_top = named.command == &app;
  std::vector<std::string> names;
  for (const CLI::App* const command : commands_of(*named.command)) names.push_back(command->get_name());
  const std::string word = shown(named.unknown);
  const std::string hint = config::suggestion(word, {names.begin(), names.end()});
  const std::string others = hint.empty() && at_top ? elsewhere(app, named.unknown) : "";
  fmt::print(stderr, "relayd: there is no command '{}{}'{}{}\n",
             at_top ? "" : named.command->get_name() + " ", word, hint,
             others.empty() ? "" : fmt::format(" (did you mean {}?)", others));
  fmt::print(stderr, "`{} --help` shows which there are\n", path_of(app, named));
  return EX_USAGE;
}

}  // namespace

std::optional<int> help(const CLI::App& app, const std::vector<std::string_view>& words) {
  const bool asked = !words.empty() && words.front() == "help";
  const std::span<const std::string_view> all(words);
  if (asked && words.size() == 2 && words.back() == "--markdown") {
    fmt::print("{}", command_page(command_tree(app)));
    return EX_OK;
  }
  const Named named = named_by(app, asked ? all.subspan(1) : all);
  const bool has_commands = !commands_of(*named.command).empty();
  const bool is_option = named.unknown.starts_with('-');
  if (!named.unknown.empty() && !is_option && (has_commands || asked)) return complain(app, named);
  if (!asked && (!has_commands || is_option)) return std::nullopt;
  fmt::print(asked ? stdout : stderr, "{}", named.command->help(named.before));
  return asked ? EX_OK : EX_USAGE;
}

std::optional<int> unknown_option(const CLI::App& app, const std::vector<std::string_view>& words) {
  const Named named = named_by(app, words);
  std::vector<std::string_view> names;
  for (const CLI::Option* const option : named.command->get_options())
    for (const std::string& name : option->get_lnames()) names.push_back(name);
  for (const std::string_view word : words) {
    if (word == "--") break;
    const std::string_view name = word.substr(0, word.find('='));
    if (!name.starts_with("--") || std::ranges::find(names, name.substr(2)) != names.end()) continue;
    std::string hint = config::suggestion(name.substr(2), names);
    if (const std::size_t quote = hint.find('\''); quote != std::string::npos) hint.insert(quote + 1, "--");
    const std::string path = path_of(app, named);
    fmt::print(stderr, "{}: there is no option '{}'{}\n`{} --help` shows which there are\n", path,
               shown(name), hint, path);
    return EX_USAGE;
  }
  return std::nullopt;
}

void add_help(CLI::App& app, int& status) {
  // Answered by help() before the line is read; what it takes is said here, for the page and the completions.
  CLI::App* const help = app.add_subcommand("help", "Help for a command, such as `relayd help queue retry`");
  help->prefix_command();
  help->add_flag_callback(
      "--markdown", [] {}, "All commands, as the page docs/commands.md");
  help->add_option("command", "The words of the command")->type_name("COMMAND")->expected(0, -1);
  help->footer("Example: relayd help queue retry\nExit codes: 0 shown, 64 there is no such command");

  CLI::App* const completion =
      app.add_subcommand("completion", "Print the script that completes command lines in a shell");
  const auto shell = std::make_shared<std::string>();
  completion->add_option("shell", *shell, "Which one")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->required();
  completion->footer("Example: relayd completion bash >/etc/bash_completion.d/relayd\nExit codes: 0 printed");
  completion->callback([&app, &status, shell] {
    fmt::print("{}", command::completion(command_tree(app), *shell));
    status = EX_OK;
  });
}

}  // namespace relayd::command
