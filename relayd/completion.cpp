#include "completion.hpp"

#include <fmt/format.h>

namespace relayd::command {

namespace {

using Commands = std::vector<CommandFacts>;
using Words = std::vector<std::string>;

enum class Kind { flag, words, file, directory, other };

Kind kind_of(const OptionFacts& option) {
  if (option.value.empty()) return Kind::flag;
  if (!option.words.empty()) return Kind::words;
  if (option.value == "FILE") return Kind::file;
  return option.value == "DIRECTORY" ? Kind::directory : Kind::other;
}

std::string joined(const Words& words, std::string_view between = " ") {
  return fmt::format("{}", fmt::join(words, between));
}

// In single quotes, as bash and zsh read it.
std::string in_quotes(std::string_view text) {
  std::string result = "'";
  for (const char c : text) result += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return result + "'";
}

// "'queue'|'queue list'": the patterns of all commands but relayd itself.
std::string paths(const Commands& commands) {
  Words all;
  for (const CommandFacts& command : commands)
    if (!command.path.empty()) all.push_back(in_quotes(command.path));
  return joined(all, "|");
}

// sendmail and its like read their own options.
bool has_help(const CommandFacts& command) {
  return command.path != "sendmail" && command.path != "mailq" && command.path != "newaliases";
}

// --- bash -------------------------------------------------------------------------------------------------

constexpr std::string_view bash_head = R"(# bash completion for relayd, made by `relayd completion bash`.
_relayd() {{
  local cur=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} at= words= kind= i
  # bash parts --option=value into three words.
  if [[ $cur == = ]]; then
    cur=
  elif [[ $before == = ]]; then
    before=${{COMP_WORDS[COMP_CWORD-2]}}
  fi
  # The command that stands before the cursor.
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ -z $at && ${{COMP_WORDS[i]}} == help ]] && continue
    case "${{at:+$at }}${{COMP_WORDS[i]}}" in
      {}) at="${{at:+$at }}${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$at:$before" in
)";

constexpr std::string_view bash_middle = R"(    *)
      case "$at:$cur" in
)";

constexpr std::string_view bash_tail = R"(      esac ;;
  esac
  compopt -o filenames 2>/dev/null
  case $kind in
    file) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
    directory) mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
    *)
      compopt +o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur") ;;
  esac
}
complete -F _relayd relayd
)";

// "words='a b'", or "kind=file"
std::string bash_value(const OptionFacts& option) {
  switch (kind_of(option)) {
    case Kind::words:
      return "words=" + in_quotes(joined(option.words));
    case Kind::file:
      return "kind=file";
    case Kind::directory:
      return "kind=directory";
    default:
      return "";
  }
}

std::string bash(const Commands& commands) {
  std::string script = fmt::format(bash_head, paths(commands));
  for (const CommandFacts& command : commands)
    for (const OptionFacts& option : command.options) {
      if (kind_of(option) == Kind::flag) continue;
      Words patterns;
      for (const std::string& name : option.names) patterns.push_back(in_quotes(command.path + ":" + name));
      const std::string value = bash_value(option);
      script += fmt::format("    {}){}{} ;;\n", joined(patterns, "|"), value.empty() ? "" : " ", value);
    }
  script += bash_middle;
  for (const CommandFacts& command : commands) {
    Words options;
    if (has_help(command)) options.emplace_back("--help");
    for (const OptionFacts& option : command.options) options.push_back(option.names.back());
    if (!options.empty())
      script += fmt::format("        {}-*) words={} ;;\n", in_quotes(command.path + ":"),
                            in_quotes(joined(options)));
    const std::string value = !command.commands.empty()   ? "words=" + in_quotes(joined(command.commands))
                              : command.arguments.empty() ? ""
                                                          : bash_value(command.arguments.front());
    if (!value.empty()) script += fmt::format("        {}*) {} ;;\n", in_quotes(command.path + ":"), value);
  }
  return script + std::string(bash_tail);
}

// --- zsh --------------------------------------------------------------------------------------------------

constexpr std::string_view zsh_head = R"(#compdef relayd
# zsh completion for relayd, made by `relayd completion zsh`.
_relayd() {{
  local at= i last=1
  # The command that stands before the cursor.
  for ((i = 2; i < CURRENT; i++)); do
    [[ -z $at && $words[i] == help ]] && continue
    case "${{at:+$at }}$words[i]" in
      {}) at="${{at:+$at }}$words[i]" last=$i ;;
    esac
  done
  # _arguments reads the words from that command on.
  words=("${{(@)words[last,-1]}}")
  ((CURRENT -= last - 1))
  local -a commands
  case $at in
)";

constexpr std::string_view zsh_tail = R"(  esac
}
_relayd "$@"
)";

// Within [ ] and between colons of a specification of _arguments.
std::string zsh_text(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

// ":FILE:_files"
std::string zsh_value(const OptionFacts& option) {
  switch (kind_of(option)) {
    case Kind::flag:
      return "";
    case Kind::words:
      return fmt::format(":{}:({})", option.value, joined(option.words));
    case Kind::file:
      return ":FILE:_files";
    case Kind::directory:
      return ":DIRECTORY:_files -/";
    case Kind::other:
      return fmt::format(":{}: ", option.value);
  }
  return "";
}

std::string zsh_commands(const Commands& commands, const CommandFacts& group) {
  std::string text = "      commands=(\n";
  for (const std::string& name : group.commands) {
    const std::string path = group.path + (group.path.empty() ? "" : " ") + name;
    for (const CommandFacts& command : commands)
      if (command.path == path)
        text += fmt::format("        {}\n", in_quotes(name + ":" + zsh_text(command.says)));
  }
  return text + "      )\n      _describe command commands ;;\n";
}

std::string zsh(const Commands& commands) {
  std::string script = fmt::format(zsh_head, paths(commands));
  for (const CommandFacts& command : commands) {
    script += fmt::format("    {})\n", in_quotes(command.path));
    if (!command.commands.empty()) {
      script += zsh_commands(commands, command);
      continue;
    }
    script += "      _arguments -s";
    for (const OptionFacts& option : command.options)
      for (const std::string& name : option.names)
        script +=
            fmt::format(" \\\n        {}",
                        in_quotes(fmt::format("{}[{}]{}", name, zsh_text(option.says), zsh_value(option))));
    if (has_help(command)) script += " \\\n        '--help[Help for this command]'";
    for (const OptionFacts& argument : command.arguments)
      script += fmt::format(" \\\n        {}", in_quotes((argument.repeated   ? "*"
                                                          : argument.required ? ""
                                                                              : ":") +
                                                         zsh_value(argument)));
    script += " ;;\n";
  }
  return script + std::string(zsh_tail);
}

// --- fish -------------------------------------------------------------------------------------------------

constexpr std::string_view fish_head = R"(# fish completion for relayd, made by `relayd completion fish`.
# Whether the command that stands before the cursor is the one of the argument.
function __relayd_at
    set -l at
    for word in (commandline -opc)[2..]
        if test -z "$at"; and test "$word" = help
            continue
        end
        if contains -- (string join -- ' ' $at $word) {}
            set at $at $word
        end
    end
    test "$at" = "$argv[1]"
end
complete -c relayd -f
)";

// In single quotes, as fish reads it.
std::string fish_quotes(std::string_view text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') result += '\\';
    result += c;
  }
  return result + "'";
}

// " -x -a 'a b'"
std::string fish_value(const OptionFacts& option, bool is_argument) {
  switch (kind_of(option)) {
    case Kind::flag:
      return "";
    case Kind::words:
      return fmt::format(" -x -a {}", fish_quotes(joined(option.words)));
    case Kind::file:
      return is_argument ? " -F" : " -r -F";
    case Kind::directory:
      return is_argument ? " -x -a '(__fish_complete_directories)'"
                         : " -x -a '(__fish_complete_directories)'";
    case Kind::other:
      return " -x";
  }
  return "";
}

std::string fish(const Commands& commands) {
  Words all;
  for (const CommandFacts& command : commands)
    if (!command.path.empty()) all.push_back(fish_quotes(command.path));
  std::string script = fmt::format(fish_head, joined(all));
  for (const CommandFacts& command : commands) {
    const std::string at =
        fmt::format("complete -c relayd -n {}", fish_quotes(fmt::format("__relayd_at \"{}\"", command.path)));
    for (const CommandFacts& below : commands) {
      const std::size_t cut = below.path.rfind(' ');
      const std::string parent = cut == std::string::npos ? "" : below.path.substr(0, cut);
      if (below.path.empty() || parent != command.path) continue;
      script += fmt::format("{} -a {} -d {}\n", at, below.path.substr(cut == std::string::npos ? 0 : cut + 1),
                            fish_quotes(below.says));
    }
    for (const OptionFacts& option : command.options) {
      std::string names;
      for (const std::string& name : option.names)
        names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      script += at + names + fish_value(option, false) + " -d " + fish_quotes(option.says) + "\n";
    }
    if (has_help(command)) script += at + " -s h -l help -d 'Help for this command'\n";
    for (const OptionFacts& argument : command.arguments)
      if (const Kind kind = kind_of(argument); kind != Kind::other && kind != Kind::flag)
        script += at + fish_value(argument, true) + "\n";
  }
  return script;
}

}  // namespace

std::string completion(const Commands& commands, std::string_view shell) {
  return shell == "bash" ? bash(commands) : shell == "zsh" ? zsh(commands) : fish(commands);
}

}  // namespace relayd::command
