#include "help.hpp"

#include <fmt/format.h>
#include <sysexits.h>

#include <algorithm>
#include <span>
#include <string>

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
  std::string_view unknown = {};  // the first word that names nothing; empty: all do
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

// Commands of that name further down: "`relayd queue retry`".
std::string elsewhere(const CLI::App& app, std::string_view word) {
  std::vector<std::string> found;
  for (const CLI::App* const command : commands_of(app))
    if (find(*command, word)) found.push_back(fmt::format("`relayd {} {}`", command->get_name(), word));
  return fmt::format("{}", fmt::join(found, ", "));
}

int complain(const CLI::App& app, const Named& named) {
  const bool at_top = named.command == &app;
  const std::string path = at_top ? "relayd" : named.before + " " + named.command->get_name();
  std::vector<std::string> names;
  for (const CLI::App* const command : commands_of(*named.command)) names.push_back(command->get_name());
  const std::string word = shown(named.unknown);
  const std::string hint = config::suggestion(word, {names.begin(), names.end()});
  const std::string others = hint.empty() && at_top ? elsewhere(app, named.unknown) : "";
  fmt::print(stderr, "relayd: there is no command '{}{}'{}{}\n",
             at_top ? "" : named.command->get_name() + " ", word, hint,
             others.empty() ? "" : fmt::format(" (did you mean {}?)", others));
  fmt::print(stderr, "`{} --help` shows which there are\n", path);
  return EX_USAGE;
}

}  // namespace

std::optional<int> help(const CLI::App& app, const std::vector<std::string_view>& words) {
  const bool asked = !words.empty() && words.front() == "help";
  const std::span<const std::string_view> all(words);
  const Named named = named_by(app, asked ? all.subspan(1) : all);
  const bool has_commands = !commands_of(*named.command).empty();
  const bool is_option = named.unknown.starts_with('-');
  if (!named.unknown.empty() && !is_option && (has_commands || asked)) return complain(app, named);
  if (!asked && (!has_commands || is_option)) return std::nullopt;
  fmt::print(asked ? stdout : stderr, "{}", named.command->help(named.before));
  return asked ? EX_OK : EX_USAGE;
}

}  // namespace relayd::command
