#include "settle/reading.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "shared/base/ascii.hpp"

namespace relayd::settle {

namespace {

constexpr char quoted = '@';  // stands for it
constexpr auto npos = std::string_view::npos;

void cut(std::string& text, std::size_t begin, std::size_t end) {
  text.replace(begin, std::min(end, text.size()) - begin, 1, quoted);
}

// An address may hold quotation marks, brackets and backslashes of its own, and servers quote them as they
// like: nothing between the outermost ones is believed.
void cut_all_between_marks(std::string& text) {
  const std::size_t begin = text.find_first_of("<\"");
  if (begin == npos) return;
  const std::size_t last = text.find_last_of(">\"");
  cut(text, begin, last == npos || last <= begin ? text.size() : last + 1);
}

// <…>, and "…"@
void cut_addresses(std::string& text) {
  for (std::size_t at = 0; (at = text.find('<', at)) != npos; ++at) {
    const std::size_t end = text.find('>', at);
    cut(text, at, end == npos ? text.size() : end + 1);
  }
  for (std::size_t at = 0; (at = text.find("\"@", at)) != npos; ++at) {
    const std::size_t begin = at == 0 ? npos : text.rfind('"', at - 1);
    if (begin == npos) continue;
    cut(text, begin, at + 1);
    at = begin;
  }
}

bool has_dot_inside(std::string_view word) {
  const auto is_inner = [](char c) {
    return ascii::is_letter(c) || ascii::is_digit(c) || !ascii::is_ascii(c);
  };
  for (std::size_t dot = word.find('.'); dot != npos; dot = word.find('.', dot + 1))
    if (dot > 0 && dot + 1 < word.size() && is_inner(word[dot - 1]) && is_inner(word[dot + 1])) return true;
  return false;
}

struct Unit {
  std::string_view name;
  std::uint32_t seconds;
};
constexpr Unit units[] = {
    {"s", 1},      {"sec", 1},     {"secs", 1},     {"second", 1},  {"seconds", 1},
    {"m", 60},     {"min", 60},    {"mins", 60},    {"h", 3600},    {"hr", 3600},
    {"hrs", 3600}, {"minute", 60}, {"minutes", 60}, {"hour", 3600}, {"hours", 3600},
};
constexpr std::uint32_t longest = 3600;

// "92 seconds …", "5min.", "60." of seconds; 0: it is no time.
std::uint32_t read_time(std::string_view text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end == text.data()) return 0;
  if (error != std::errc{} || number > longest) number = longest;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.starts_with(' ')) text.remove_prefix(1);
  const auto* const stop = std::find_if_not(text.begin(), text.end(), ascii::is_letter);
  const std::string unit = ascii::lower(std::string_view(text.begin(), stop));
  number = std::max(number, 1U);
  for (const auto& [name, seconds] : units)
    if (name == unit) return std::min(number * seconds, longest);
  // Of seconds, if the number ends there: not "3 attempts", "00:04:32" or "192.0.2.1".
  const bool at_end = text.empty() || ((text.front() == '.' || text.front() == ',' || text.front() == ')') &&
                                       (text.size() == 1 || text[1] == ' '));
  return unit.empty() && at_end ? number : 0;
}

}  // namespace

std::string own_words(smtp::Stage stage, std::string_view text) {
  const bool rcpt = stage == smtp::Stage::rcpt;
  std::string line(text);
  std::ranges::replace(line, '\n', ' ');
  std::ranges::replace(line, '\t', ' ');
  if (rcpt)
    cut_all_between_marks(line);
  else
    cut_addresses(line);
  std::string words;
  for (std::string_view rest = line; !rest.empty();) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, end);
    if (word.find('@') != npos || (rcpt && has_dot_inside(word)))
      words += quoted;
    else
      words += word;
    rest.remove_prefix(end);
    if (rest.empty()) break;
    words += ' ';
    rest.remove_prefix(1);
  }
  return words;
}

std::chrono::seconds told_wait(std::string_view words) {
  const std::string text = ascii::lower(words);
  for (const std::string_view lead : {"again in ", "again after ", "retry in ", "retry after ", "wait "}) {
    for (std::size_t at = 0; (at = text.find(lead, at)) != npos; ++at) {
      if (at > 0 && ascii::is_letter(text[at - 1])) continue;
      std::string_view rest = std::string_view(text).substr(at + lead.size());
      for (const std::string_view filler : {"for ", "at least ", "another "})
        if (rest.starts_with(filler)) rest.remove_prefix(filler.size());
      if (const std::uint32_t seconds = read_time(rest)) return std::chrono::seconds(seconds);
    }
  }
  return {};
}

}  // namespace relayd::settle
