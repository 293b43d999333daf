#include "shared/config/yaml_pitfalls.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "shared/base/ascii.hpp"

namespace relayd::config {
namespace {

using Lines = std::vector<std::string_view>;
constexpr std::size_t none = std::string_view::npos;

Lines lines_of(std::string_view text) {
  Lines lines;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
    at = end + 1;
  }
  return lines;
}

std::size_t indentation(std::string_view line) {
  return std::min(line.find_first_not_of(" \t"), line.size());
}

bool says_nothing(std::string_view line) {
  const std::size_t begin = indentation(line);
  return begin == line.size() || line[begin] == '#';
}

// Where the value of "key: value" or "- value" begins, or the item of a "- key: value". 0: there is none.
std::size_t begin_of_value(std::string_view line) {
  std::size_t at = indentation(line);
  while (line.substr(at).starts_with("- ")) at = std::min(line.find_first_not_of(' ', at + 1), line.size());
  const std::size_t colon = line.find(": ", at);
  const bool has_key = colon != none && line.substr(at, colon - at).find_first_of("'\"[{ ") == none;
  if (has_key) at = std::min(line.find_first_not_of(' ', colon + 1), line.size());
  return at;
}

// Where a quoted text ends that begins at `at`: behind its closing quote. `none`: not in this line.
std::size_t end_of_quoted(std::string_view line, std::size_t at) {
  const char quote = line[at];
  for (++at; at < line.size(); ++at) {
    if (quote == '"' && line[at] == '\\') {
      ++at;
    } else if (line[at] == quote) {
      if (quote == '"' || !line.substr(at + 1).starts_with('\'')) return at + 1;
      ++at;  // '' is a quote inside
    }
  }
  return none;
}

class Finder {
 public:
  Finder(std::string_view text, const Location& where, std::string_view complaint)
      : lines_(lines_of(text)),
        where_(where),
        complaint_(complaint),
        number_(std::clamp<std::size_t>(static_cast<std::size_t>(std::max(where.line, 1)) - 1, 0,
                                        lines_.size() - 1)),
        line_(lines_[number_]) {
    before_ = number_;
    while (before_ > 0 && says_nothing(lines_[before_ - 1])) --before_;
    if (before_ > 0) --before_;
  }

  std::optional<Pitfall> find() const {
    for (const auto look :
         {&Finder::tab, &Finder::open_quote, &Finder::behind_quotes, &Finder::escape, &Finder::missing_blank,
          &Finder::special_begin, &Finder::second_colon, &Finder::deeper, &Finder::not_aligned})
      if (std::optional<Pitfall> found = (this->*look)()) return found;
    return std::nullopt;
  }

 private:
  Pitfall at(std::size_t line, std::size_t column, std::string text) const {
    return {{static_cast<int>(line) + 1, static_cast<int>(column) + 1}, std::move(text)};
  }
  bool says(std::string_view words) const { return complaint_.find(words) != none; }
  bool says_end() const { return says("not found") && says("end of"); }

  std::optional<Pitfall> tab() const {
    for (const std::size_t number : {before_, number_}) {
      const std::string_view begin = lines_[number].substr(0, indentation(lines_[number]));
      if (const std::size_t tab = begin.find('\t'); tab != none)
        return at(number, tab, "a tab as indentation: YAML wants blanks");
    }
    return std::nullopt;
  }

  // A quoted value whose quote is closed by that of a later line, if any.
  std::optional<Pitfall> open_quote() const {
    if (!says_end() && !says("EOF") && !says("illegal map value")) return std::nullopt;
    for (std::size_t number = 0; number <= number_; ++number) {
      const std::string_view line = lines_[number];
      const std::size_t begin = says_nothing(line) ? line.size() : begin_of_value(line);
      if (begin >= line.size() || (line[begin] != '"' && line[begin] != '\'')) continue;
      if (end_of_quoted(line, begin) == none)
        return at(number, begin, "the quote that begins here is not closed in this line");
    }
    return std::nullopt;
  }

  std::optional<Pitfall> behind_quotes() const {
    if (!says_end() || says_nothing(line_)) return std::nullopt;
    const std::size_t begin = begin_of_value(line_);
    if (begin >= line_.size()) return std::nullopt;
    const char first = line_[begin];
    if (first == '[' || first == '{') {
      const std::size_t end = line_.find(first == '[' ? ']' : '}', begin);
      if (end != none && end + 1 < line_.size() && line_[end + 1] != ' ')
        return at(number_, end + 1,
                  fmt::format("text behind '{}': put the whole value in quotes", line_[end]));
      return std::nullopt;
    }
    if (first != '"' && first != '\'') return std::nullopt;
    const std::size_t end = end_of_quoted(line_, begin);
    if (end == none || end == line_.size() || line_[end] == ' ') return std::nullopt;
    return at(number_, end,
              first == '"' ? "text behind the closing quote: a \" inside quotes is written \\\""
                           : "text behind the closing quote: a ' inside single quotes is written ''");
  }

  std::optional<Pitfall> escape() const {
    if (!says("escape")) return std::nullopt;
    return Pitfall{where_,
                   "in double quotes a \\ begins an escape: write \\\\, or put the value in single quotes"};
  }

  // "key:value" is one word, and the line below its second one.
  std::optional<Pitfall> missing_blank() const {
    if (!says("illegal map value")) return std::nullopt;
    for (const std::size_t number : {before_, number_}) {
      const std::string_view line = lines_[number];
      std::size_t begin = indentation(line);
      if (line.substr(begin).starts_with("- ")) begin += 2;
      const std::size_t colon = line.find(':', begin);
      if (colon == none || colon == begin || colon + 1 == line.size() || line[colon + 1] == ' ') continue;
      const std::string_view key = line.substr(begin, colon - begin);
      const auto in_a_key = [](char c) { return ascii::is_letter(c) || ascii::is_digit(c) || c == '_'; };
      if (std::ranges::all_of(key, in_a_key))
        return at(number, colon + 1, "a blank is missing behind the ':'");
    }
    return std::nullopt;
  }

  // A character that means something to YAML where a value begins.
  std::optional<Pitfall> special_begin() const {
    if (says_nothing(line_)) return std::nullopt;
    const std::size_t column = static_cast<std::size_t>(std::max(where_.column, 1)) - 1;
    // The parser may be one character further, or at the end of the value.
    std::array<std::size_t, 3> places = {column, column == 0 ? 0 : column - 1, begin_of_value(line_)};
    for (const std::size_t place : places) {
      if (place >= line_.size()) continue;
      const std::string_view rest = line_.substr(place);
      const bool is_special = std::string_view("*@`%&|>}],").find(rest.front()) != none;
      const bool begins = place == 0 || std::string_view(" [{,").find(line_[place - 1]) != none;
      if (begins && rest.starts_with("- "))
        return at(number_, place, "a value that begins with '- ' needs quotes");
      if (!is_special || !begins) continue;
      std::string text = fmt::format("a value that begins with '{}' needs quotes", rest.front());
      if (rest.front() == '*') text += ", such as \"*\"";
      if (rest.front() == '@') text += ", such as \"@example.com\"";
      if (says("anchor")) text += " (as an alias: no value above has this name)";
      return at(number_, place, std::move(text));
    }
    return std::nullopt;
  }

  std::optional<Pitfall> second_colon() const {
    if (!says("illegal map value") || says_nothing(line_)) return std::nullopt;
    const std::size_t begin = begin_of_value(line_);
    const std::size_t colon = begin < line_.size() ? line_.find(':', begin) : none;
    if (begin == indentation(line_) || colon == none) return std::nullopt;
    return at(number_, begin, "a value with ': ' in it, or a ':' at its end, needs quotes");
  }

  std::optional<Pitfall> deeper() const {
    const std::size_t own = indentation(line_);
    if (!says("illegal map value") || before_ == number_ || own <= indentation(lines_[before_]))
      return std::nullopt;
    return at(number_, own, "this line is indented more than the one above it, which has a value already");
  }

  std::optional<Pitfall> not_aligned() const {
    const std::size_t own = indentation(line_);
    const bool is_there = where_.column == static_cast<int>(own) + 1;
    if (!says_end() || !is_there || before_ == number_ || own >= indentation(lines_[before_]))
      return std::nullopt;
    for (std::size_t number = 0; number < number_; ++number)
      if (!says_nothing(lines_[number]) && indentation(lines_[number]) == own) return std::nullopt;
    return at(number_, own, "the indentation of this line is that of no line above it");
  }

  Lines lines_;
  Location where_;
  std::string_view complaint_;
  std::size_t number_;  // of the line where the parser gave up, from 0
  std::size_t before_;  // of the line above it that says something
  std::string_view line_;
};

}  // namespace

Pitfall pitfall(std::string_view text, const Location& where, std::string_view complaint) {
  if (where.line > 0)
    if (std::optional<Pitfall> found = Finder(text, where, complaint).find()) return *found;
  return {where, fmt::format("not valid YAML: {}", complaint)};
}

bool is_only_a_comment(std::string_view text, std::size_t key) {
  std::string_view line = text.substr(std::min(key, text.size()));
  line = line.substr(0, line.find('\n'));
  const std::size_t colon = line.find(": ");
  const std::size_t begin = colon == none ? none : line.find_first_not_of(' ', colon + 1);
  return begin != none && line[begin] == '#';
}

}  // namespace relayd::config
