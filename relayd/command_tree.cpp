#include "command_tree.hpp"

#include <algorithm>
#include <sstream>

#include "route/presets.hpp"

namespace relayd::command {

namespace {

// "PROVIDER" names one of those that are known; other values have their words from CLI::IsMember, which the
// type then ends with: "TEXT:{starttls,implicit}".
void read_value(const CLI::Option& option, OptionFacts& facts) {
  const std::string type = option.get_type_name();
  facts.value = type.substr(0, type.find(':'));
  if (facts.value == "PROVIDER")
    for (const route::Provider& provider : providers::all()) facts.words.emplace_back(provider.name);
  std::ranges::sort(facts.words);
  const std::size_t from = type.find('{'), to = type.rfind('}');
  if (from == std::string::npos || to == std::string::npos) return;
  std::istringstream words(type.substr(from + 1, to - from - 1));
  for (std::string word; std::getline(words, word, ',');) facts.words.push_back(word);
}

OptionFacts facts_of(const CLI::Option& option) {
  OptionFacts facts;
  for (const std::string& name : option.get_snames()) facts.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) facts.names.push_back("--" + name);
  if (option.get_type_size() != 0) read_value(option, facts);
  facts.required = option.get_required();
  facts.repeated = option.get_expected_max() > 1;
  facts.says = option.get_description();
  return facts;
}

void read_footer(const std::string& footer, CommandFacts& facts) {
  std::istringstream lines(footer);
  for (std::string line; std::getline(lines, line);) {
    const auto take = [&line](std::string_view start, std::string& into) {
      if (!line.starts_with(start)) return false;
      into = line.substr(start.size());
      return true;
    };
    if (take("Example: ", facts.example) || take("Exit codes: ", facts.exit_codes)) continue;
    facts.more += (facts.more.empty() ? "" : "\n") + line;
  }
}

void collect(const CLI::App& app, const std::string& path, std::vector<CommandFacts>& all) {
  CommandFacts facts;
  facts.path = path;
  facts.says = app.get_description();
  read_footer(app.get_footer(), facts);
  for (const CLI::Option* const option : app.get_options()) {
    if (option == app.get_help_ptr() || option == app.get_help_all_ptr()) continue;
    (option->get_positional() ? facts.arguments : facts.options).push_back(facts_of(*option));
  }
  std::vector<const CLI::App*> below = app.get_subcommands([](const CLI::App*) { return true; });
  std::ranges::sort(below, {}, &CLI::App::get_name);
  for (const CLI::App* const command : below) facts.commands.push_back(command->get_name());
  all.push_back(std::move(facts));
  for (const CLI::App* const command : below)
    collect(*command, path + (path.empty() ? "" : " ") + command->get_name(), all);
}

}  // namespace

std::vector<CommandFacts> command_tree(const CLI::App& app) {
  std::vector<CommandFacts> all;
  collect(app, "", all);
  return all;
}

}  // namespace relayd::command
