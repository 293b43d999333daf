// The only file that uses RE2.
#include <fmt/format.h>
#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <array>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/base/counted.hpp"
#include "shared/table/lines.hpp"
#include "shared/table/rows.hpp"

namespace relayd::table {

namespace {

constexpr std::size_t most_patterns = 1000;
constexpr std::size_t longest_pattern = 1024;
constexpr std::size_t longest_value = 1024;
constexpr std::int64_t most_memory = 256 << 10;  // of one pattern, compiled and at work
constexpr std::int64_t most_memory_of_all = 64 << 20;
constexpr int most_groups = 32;

// A part of a value: a text, then what a group matched; 0: nothing.
struct Piece {
  std::string text;
  int group = 0;
};

struct Rule {
  std::unique_ptr<const re2::RE2> pattern;
  bool negated = false;
  bool is_condition = false;  // `if`
  std::size_t next = 0;       // of `if`: the rule behind its `endif`
  std::vector<Piece> value;
  std::size_t line = 0;
};

class Patterns final : public Table {
 public:
  explicit Patterns(std::vector<Rule> rules) : rules_(std::move(rules)), all_(make_set(rules_)) {}

  std::optional<std::string> find(std::string_view key) const override {
    Groups groups;
    const Rule* const rule = rule_of(key, groups);
    return rule ? std::optional(expand(rule->value, groups.data())) : std::nullopt;
  }

  std::size_t line_of(std::string_view key) const override {
    Groups groups;
    const Rule* const rule = rule_of(key, groups);
    return rule ? rule->line : 0;
  }

  std::size_t rows() const override {
    return static_cast<std::size_t>(std::ranges::count(rules_, false, &Rule::is_condition));
  }

  void each(const Visit& visit) const override {
    const auto is_of_match = [](const Piece& piece) { return piece.group > 0; };
    for (const Rule& rule : rules_) {
      if (rule.is_condition) continue;
      const bool known = std::ranges::none_of(rule.value, is_of_match);
      const std::string value = known ? expand(rule.value, nullptr) : std::string();
      visit({{}, value, rule.line});
    }
  }

 private:
  using Groups = std::array<re2::StringPiece, most_groups + 1>;

  // The first rule that the key matches, and what its groups matched. Null: none.
  const Rule* rule_of(std::string_view key, Groups& groups) const {
    const std::optional<std::vector<int>> matching = matching_rules(key);
    const auto match = [&](const Rule& rule) {
      const int wanted = rule.value.empty() ? 0 : rule.pattern->NumberOfCapturingGroups() + 1;
      return rule.pattern->Match(key, 0, key.size(), re2::RE2::UNANCHORED, groups.data(), wanted);
    };
    for (std::size_t i = 0; i < rules_.size();) {
      const Rule& rule = rules_[i];
      const bool matched =
          matching ? std::ranges::binary_search(*matching, static_cast<int>(i)) : match(rule);
      const bool holds = matched != rule.negated;
      if (holds && !rule.is_condition) {
        if (matching && matched) match(rule);  // for its groups
        return &rule;
      }
      i = rule.is_condition && !holds ? rule.next : i + 1;
    }
    return nullptr;
  }

  // All patterns as one, so that a key costs one pass, however many there are. Null: too large for that.
  static std::unique_ptr<const re2::RE2::Set> make_set(const std::vector<Rule>& rules) {
    re2::RE2::Options options;
    options.set_case_sensitive(false);
    options.set_log_errors(false);
    options.set_max_mem(most_memory_of_all);
    auto set = std::make_unique<re2::RE2::Set>(options, re2::RE2::UNANCHORED);
    for (const Rule& rule : rules)
      if (set->Add(rule.pattern->pattern(), nullptr) < 0) return nullptr;
    return set->Compile() ? std::move(set) : nullptr;
  }

  // The rules whose patterns match, in order. Nothing: each has to be asked.
  std::optional<std::vector<int>> matching_rules(std::string_view key) const {
    std::vector<int> rules;
    re2::RE2::Set::ErrorInfo trouble{};
    if (!all_ || (!all_->Match(key, &rules, &trouble) && trouble.kind != re2::RE2::Set::kNoError)) return {};
    std::ranges::sort(rules);
    return rules;
  }

  static std::string expand(const std::vector<Piece>& pieces, const re2::StringPiece* groups) {
    std::string result;
    for (const Piece& piece : pieces) {
      result += piece.text;
      if (piece.group > 0) result.append(groups[piece.group].data(), groups[piece.group].size());
    }
    return result;
  }

  std::vector<Rule> rules_;
  std::unique_ptr<const re2::RE2::Set> all_;
};

class Parser {
 public:
  Parsed parse(std::string_view text) {
    LogicalLines lines(text);
    std::string line;
    while (faults_.size() < most_faults && lines.next(line)) {
      line_ = lines.number();
      if (rules_.size() == most_patterns) {
        fail(fmt::format("more than {} patterns", most_patterns));
        break;
      }
      if (begins_with_blank(line))
        fail("a line that begins with a blank goes on with the one before, and there is none");
      else if (!fault_in(trimmed(line)).empty())
        fail(std::string(fault_in(trimmed(line))));
      else
        add_line(trimmed(line));
    }
    for (const Condition& open : conditions_)
      faults_.push_back({open.line, 1, "an 'if' without its 'endif'"});
    std::ranges::stable_sort(faults_, {}, &Fault::line);
    if (!faults_.empty()) return {nullptr, std::move(faults_)};
    return {std::make_shared<const Patterns>(std::move(rules_)), {}};
  }

 private:
  struct Condition {
    std::size_t rule;
    std::size_t line;
  };

  void fail(std::string text) { faults_.push_back({line_, 1, std::move(text)}); }

  static bool is_word(std::string_view line, std::string_view word) {
    const bool ends = line.size() <= word.size() ||
                      (!ascii::is_letter(line[word.size()]) && !ascii::is_digit(line[word.size()]));
    return ascii::equal_ignoring_case(line.substr(0, word.size()), word) && ends;
  }

  void add_line(std::string_view line) {
    Rule rule;
    rule.line = line_;
    if (is_word(line, "endif")) return end_condition(line);
    if (is_word(line, "if")) {
      rule.is_condition = true;
      line = trimmed(line.substr(2));
      conditions_.push_back({rules_.size(), line_});
    }
    if (line.starts_with('!')) {
      rule.negated = true;
      line = trimmed(line.substr(1));
    }
    if (!read_pattern(line, rule)) return;
    if (rule.is_condition && !line.empty()) return fail("text behind the pattern of an 'if'");
    if (!rule.is_condition && !read_value(line, rule)) return;
    rules_.push_back(std::move(rule));
  }

  void end_condition(std::string_view line) {
    if (line.size() > std::string_view("endif").size()) return fail("text behind 'endif'");
    if (conditions_.empty()) return fail("an 'endif' without an 'if'");
    const std::size_t rule = conditions_.back().rule;
    if (faults_.empty()) rules_[rule].next = rules_.size();  // else rules are missing, and none is used
    conditions_.pop_back();
  }

  // Takes the pattern, its delimiters and flags from the line, which has more than a '!'.
  bool read_pattern(std::string_view& line, Rule& rule) {
    const char delimiter = line.empty() ? 'x' : line.front();
    if (ascii::is_letter(delimiter) || ascii::is_digit(delimiter) || delimiter == '\\')
      return refuse("expected '/PATTERN/ VALUE'");
    std::size_t end = 1;
    while (end < line.size() && line[end] != delimiter) end += line[end] == '\\' ? 2 : 1;
    if (end >= line.size())
      return refuse(fmt::format("the pattern does not end: there is no second '{}'", delimiter));
    const std::string_view pattern = line.substr(1, end - 1);
    line.remove_prefix(end + 1);
    const std::string_view flags = line.substr(0, line.find_first_of(ascii::line_space));
    if (flags.find_first_not_of('i') != std::string_view::npos)
      return refuse(
          fmt::format("'{}' behind the pattern: its only flag is i, and its value stands behind a blank",
                      flags.substr(0, 80)));
    line = trimmed(line.substr(flags.size()));
    return compile(pattern, rule);
  }

  bool compile(std::string_view pattern, Rule& rule) {
    if (pattern.empty()) return refuse("the pattern is empty");
    if (pattern.size() > longest_pattern)
      return refuse(fmt::format("the pattern is longer than {} octets", longest_pattern));
    re2::RE2::Options options;
    options.set_case_sensitive(false);
    options.set_log_errors(false);
    options.set_max_mem(most_memory);
    rule.pattern =
        std::make_unique<const re2::RE2>(re2::StringPiece(pattern.data(), pattern.size()), options);
    if (!rule.pattern->ok()) return refuse(fmt::format("'{}': {}", pattern, rule.pattern->error()));
    if (rule.pattern->NumberOfCapturingGroups() > most_groups)
      return refuse(fmt::format("the pattern has more than {} groups", most_groups));
    return true;
  }

  bool read_value(std::string_view value, Rule& rule) {
    if (value.empty()) return refuse("the pattern has no value");
    if (value.size() > longest_value)
      return refuse(fmt::format("the value is longer than {} octets", longest_value));
    rule.value.emplace_back();
    while (!value.empty()) {
      const std::size_t dollar = std::min(value.find('$'), value.size());
      rule.value.back().text += value.substr(0, dollar);
      value.remove_prefix(dollar);
      if (!value.empty() && !read_group(value, rule)) return false;
    }
    return true;
  }

  // Takes "$$" or the name of a group from the front.
  bool read_group(std::string_view& value, Rule& rule) {
    value.remove_prefix(1);
    if (value.starts_with('$')) {
      rule.value.back().text += '$';
      value.remove_prefix(1);
      return true;
    }
    const char closing = value.starts_with('{') ? '}' : value.starts_with('(') ? ')' : '\0';
    if (closing != '\0') value.remove_prefix(1);
    const auto is_of_name = [](char c) { return ascii::is_letter(c) || ascii::is_digit(c) || c == '_'; };
    const auto end = std::ranges::find_if_not(value, is_of_name);
    const std::string_view name = value.substr(0, static_cast<std::size_t>(end - value.begin()));
    value.remove_prefix(name.size());
    const bool is_closed = closing == '\0' || value.starts_with(closing);
    const bool is_number = !name.empty() && name.size() <= 2 && std::ranges::all_of(name, ascii::is_digit);
    if (!is_closed || !is_number)
      return refuse("'$' stands before the number of a group, as in $1 or ${1}; a dollar sign is '$$'");
    if (closing != '\0') value.remove_prefix(1);
    const int group = name.size() == 1 ? name[0] - '0' : (name[0] - '0') * 10 + (name[1] - '0');
    if (rule.negated) return refuse("what does not match has no groups: a dollar sign is '$$'");
    if (group < 1 || group > rule.pattern->NumberOfCapturingGroups())
      return refuse(fmt::format("${}: the pattern has {}, counted from 1", group,
                                counted(rule.pattern->NumberOfCapturingGroups(), "group")));
    rule.value.back().group = group;
    rule.value.emplace_back();
    return true;
  }

  bool refuse(std::string text) {
    fail(std::move(text));
    return false;
  }

  std::size_t line_ = 0;
  std::vector<Rule> rules_;
  std::vector<Condition> conditions_;
  std::vector<Fault> faults_;
};

}  // namespace

Parsed parse_regexp(std::string_view text) {
  if (text.size() > longest_text) return {nullptr, {{0, 0, "the text is too long"}}};
  return Parser().parse(text);
}

}  // namespace relayd::table
