#include "route/senders_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/mail/rule_matcher.hpp"

namespace relayd::route {

std::optional<SendersRow> find_row(const table::Table& table, std::string_view sender) {
  mail::RuleMatcher keys;
  keys.add_table(0);
  const auto ask = [&table](std::size_t, std::string_view key) { return table.find(key); };
  std::optional<mail::RuleMatcher::Found> found = keys.find(sender, ask);
  if (!found) return std::nullopt;
  const std::size_t line = table.line_of(found->key);
  return SendersRow{std::move(found->key), std::move(*found->value), line};
}

Result<std::vector<std::string>> parse_upstreams(std::string_view value) {
  std::vector<std::string> names;
  for (bool more = true; more;) {
    const std::size_t end = value.find(',');
    more = end != std::string_view::npos;
    std::string name(ascii::trimmed(value.substr(0, end), ascii::line_space));
    if (name.empty()) return Error{"a value names one upstream, or several with commas between them"};
    if (std::ranges::find(names, name) != names.end())
      return Error{fmt::format("upstream '{}' is named twice", name)};
    names.push_back(std::move(name));
    if (more) value.remove_prefix(end + 1);
  }
  return names;
}

}  // namespace relayd::route
