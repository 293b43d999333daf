#include "rewrite/aliases_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "shared/base/ascii.hpp"
#include "shared/base/byte_order_mark.hpp"
#include "shared/mail/address.hpp"
#include "shared/mail/mailboxes.hpp"

namespace relayd::rewrite {

namespace {

constexpr std::size_t most_faults = 100;  // a file of another kind has one in every line

constexpr std::size_t deepest_include = 100;  // as sendmail has it
constexpr std::size_t most_lists = 10'000;
constexpr std::size_t longest_line = 1 << 20;
constexpr std::string_view include = ":include:";

// Goes through a list as a header's parser does: what is quoted, within parentheses or in brackets stands
// apart.
class Scan {
 public:
  bool is_bare() const { return !quoted_ && !bracketed_ && comments_ == 0; }

  // Octets that this one takes with it: 2 for what a backslash quotes.
  std::size_t step(char c) {
    if (c == '\\' && (quoted_ || comments_ > 0)) return 2;
    if (c == '"' && comments_ == 0) {
      quoted_ = !quoted_;
    } else if (!quoted_) {
      if (c == '(') ++comments_;
      if (c == ')' && comments_ > 0) --comments_;
      if (comments_ == 0 && c == '<') bracketed_ = true;
      if (comments_ == 0 && c == '>') bracketed_ = false;
    }
    return 1;
  }

 private:
  std::size_t comments_ = 0;
  bool quoted_ = false, bracketed_ = false;
};

// Where the first of `wanted` stands that is bare.
std::size_t find_bare(std::string_view text, std::string_view wanted) {
  Scan scan;
  for (std::size_t i = 0; i < text.size(); i += scan.step(text[i]))
    if (scan.is_bare() && wanted.find(text[i]) != std::string_view::npos) return i;
  return std::string_view::npos;
}

bool is_closed(std::string_view text) {
  Scan scan;
  for (std::size_t i = 0; i < text.size();) i += scan.step(text[i]);
  return scan.is_bare();
}

// Addresses and names as a header has them.
Result<std::vector<std::string>> addresses_of(std::string_view list) {
  Result<std::vector<std::string>> found = mail::mailbox_list(list);
  const std::size_t sign = find_bare(list, ":;");
  const bool ends_no_group = sign != std::string_view::npos && list[sign] == ';';
  if (found && !ends_no_group) return found;
  return Error{fmt::format("{}: targets are addresses and names with a comma between them",
                           found ? fmt::format("'{}'", list) : found.error())};
}

// What is in the quotes, if it is quoted as a whole.
std::string_view unquoted(std::string_view text) {
  const bool is_quoted = text.size() > 1 && text.front() == '"' && text.find('"', 1) == text.size() - 1;
  return is_quoted ? text.substr(1, text.size() - 2) : text;
}

bool is_plain(std::string_view name) {
  return mail::check_address(name, true) == mail::AddressFault::none &&
         name.find('@') == std::string_view::npos;
}

std::string quoted_if_need_be(std::string_view name) {
  return is_plain(name) ? std::string(name) : fmt::format("\"{}\"", name);
}

// Lines of a text, without their ends.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(without_byte_order_mark(text)) {}

  bool next(std::string_view& line) {
    if (rest_.empty()) return false;
    const std::size_t end = std::min(rest_.find('\n'), rest_.size());
    line = rest_.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    rest_.remove_prefix(std::min(end + 1, rest_.size()));
    ++number_;
    return true;
  }
  std::size_t number() const { return number_; }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
};

class Parser {
 public:
  Parser(AliasesFile& out, const ReadFile& read_file) : out_(out), read_file_(read_file) {}

  void parse(std::string_view text, const std::string& file) {
    Lines lines(text);
    std::string_view line;
    while (out_.faults.size() < most_faults && lines.next(line)) {
      where_ = {file, lines.number()};
      const std::string_view said = ascii::trimmed(line, ascii::blanks);
      if (said.empty() || said.front() == '#') continue;
      if (!ascii::is_blank(line.front()))
        begin_entry(said);
      else if (name_.empty() && !is_faulty_)
        fail("a line that goes on, with none before it");
      else if (!name_.empty())
        (value_ += ' ') += said;
      if (value_.size() > longest_line) {
        fail("the line is too long");
        name_.clear();
        value_.clear();
        is_faulty_ = true;
      }
    }
    end_entry();
  }

 private:
  void fail(std::string text) { out_.faults.push_back({where_, std::move(text)}); }

  void begin_entry(std::string_view line) {
    const FilePlace here = where_;
    end_entry();
    where_ = begun_ = here;
    is_faulty_ = true;
    if (line.find('\0') != std::string_view::npos) return fail("a NUL");
    const std::size_t colon = find_bare(line, ":");
    if (colon == std::string_view::npos)
      return fail(fmt::format("'{}' is no 'NAME: TARGETS'", line.substr(0, 80)));
    const std::string_view name = ascii::trimmed(line.substr(0, colon), ascii::blanks);
    if (find_bare(name, "@%!") != std::string_view::npos)
      return fail(fmt::format(
          "'{}': names in this file are local; write addresses and domains under `aliases:`", name));
    if (unquoted(name).empty()) return fail("a target without a name");
    if (unquoted(name).size() == name.size() && !is_plain(name))
      return fail(fmt::format("'{}' is no name", name));
    name_ = quoted_if_need_be(unquoted(name));
    value_ = ascii::trimmed(line.substr(colon + 1), ascii::blanks);
    is_faulty_ = false;
  }

  void end_entry() {
    if (name_.empty()) return;
    where_ = begun_;
    Alias alias{std::exchange(name_, {}), {}};
    const std::string value = std::exchange(value_, {});
    const std::size_t faults = out_.faults.size();
    add_targets(alias.targets, value);
    if (out_.faults.size() > faults) return;
    if (alias.targets.empty()) return fail(fmt::format("'{}' stands for nobody", alias.name));
    out_.entries.push_back({std::move(alias), begun_});
  }

  // What is no address of a header (a name that is final, a list in a file) stands between commas of its own.
  void add_targets(std::vector<std::string>& targets, std::string_view list) {
    if (!is_closed(list)) return fail("a quote, a comment or a bracket that is not closed");
    if (find_bare(list, "#") != std::string_view::npos)
      return fail("'#' within a value: comments have lines of their own");
    std::string addresses;
    for (;;) {
      const std::size_t comma = find_bare(list, ",");
      const std::string_view item = ascii::trimmed(list.substr(0, comma), ascii::blanks);
      if (is_special(item)) {
        add_addresses(targets, std::exchange(addresses, {}));
        add_special(targets, item);
      } else {
        addresses += fmt::format("{}{}", addresses.empty() ? "" : ", ", item);
      }
      if (comma == std::string_view::npos) break;
      list.remove_prefix(comma + 1);
    }
    add_addresses(targets, addresses);
  }

  void add_addresses(std::vector<std::string>& targets, std::string_view list) {
    const Result<std::vector<std::string>> found = addresses_of(list);
    if (!found) return fail(found.error());
    targets.insert(targets.end(), found->begin(), found->end());
  }

  static bool is_special(std::string_view item) {
    const std::string_view inside = unquoted(item);
    return inside.starts_with('|') || inside.starts_with('/') || inside.starts_with("~/") ||
           item.starts_with('\\') || ascii::lower(inside.substr(0, include.size())) == include;
  }

  void add_special(std::vector<std::string>& targets, std::string_view item) {
    const std::string_view inside = unquoted(item);
    if (item.starts_with('\\'))
      targets.emplace_back(item);
    else if (inside.starts_with(':'))
      add_list(targets, std::string(ascii::trimmed(inside.substr(include.size()), ascii::blanks)));
    else if (inside.starts_with('|'))
      fail(fmt::format("'{}': relayd runs no program for mail", item));
    else if (inside == "/dev/null")
      fail("'/dev/null': give it an address for which `access.recipients` says discard");
    else
      fail(fmt::format("'{}': relayd delivers to no file", item));
  }

  // The addresses of a file, one list a line.
  void add_list(std::vector<std::string>& targets, const std::string& path) {
    if (!path.starts_with('/')) return fail(fmt::format("'{}': the path of a list begins with '/'", path));
    if (std::ranges::find(including_, path) != including_.end())
      return fail(fmt::format("'{}' includes itself", path));
    if (++lists_ > most_lists) return fail(fmt::format("more than {} lists in one file", most_lists));
    if (including_.size() == deepest_include)
      return fail(fmt::format("more than {} lists in each other", deepest_include));
    if (targets.size() > Aliases::most) return;  // which is an error of its own
    const Result<std::string> text = read_file_(path);
    if (!text) return fail(text.error());
    including_.push_back(path);
    const FilePlace before = where_;
    Lines lines(*text);
    std::string_view line;
    while (out_.faults.size() < most_faults && lines.next(line)) {
      where_ = {path, lines.number()};
      const std::string_view said = ascii::trimmed(line, ascii::blanks);
      if (said.empty() || said.front() == '#') continue;
      if (said.find('\0') != std::string_view::npos)
        fail("a NUL");
      else
        add_targets(targets, said);
    }
    where_ = before;
    including_.pop_back();
  }

  AliasesFile& out_;
  const ReadFile& read_file_;
  FilePlace where_;  // what is being read
  FilePlace begun_;  // the alias, which may have more lines
  std::string name_;
  std::string value_;
  bool is_faulty_ = false;  // the line that others may go on with
  std::vector<std::string> including_;
  std::size_t lists_ = 0;  // lists that include each other twice would be read without end
};

}  // namespace

Result<std::vector<std::string>> parse_targets(std::string_view list) {
  std::vector<std::string> targets;
  if (!is_closed(list)) return Error{"a quote, a comment or a bracket that is not closed"};
  for (bool more = true; more;) {
    const std::size_t comma = find_bare(list, ",");
    more = comma != std::string_view::npos;
    const std::string_view item = ascii::trimmed(list.substr(0, comma), ascii::blanks);
    if (more) list.remove_prefix(comma + 1);
    if (item.starts_with('@') || item.starts_with('\\')) {
      targets.emplace_back(item);
      continue;
    }
    const Result<std::vector<std::string>> found = addresses_of(item);
    if (!found) return found;
    targets.insert(targets.end(), found->begin(), found->end());
  }
  if (targets.empty()) return Error{"it names nobody"};
  return targets;
}

AliasesFile parse_aliases_file(std::string_view text, const std::string& file, const ReadFile& read_file) {
  AliasesFile result;
  Parser(result, read_file).parse(text, file);
  return result;
}

}  // namespace relayd::rewrite
