#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/table/lines.hpp"
#include "shared/table/rows.hpp"

namespace relayd::table {

namespace {

// Where the key ends: at a blank that is neither quoted nor behind a backslash. npos: a quote is not closed.
std::size_t end_of_key(std::string_view line) {
  bool quoted = false;
  std::size_t i = 0;
  for (; i < line.size(); ++i) {
    if (line[i] == '\\')
      ++i;
    else if (line[i] == '"')
      quoted = !quoted;
    else if (!quoted && ascii::line_space.find(line[i]) != std::string_view::npos)
      break;
  }
  return quoted ? std::string_view::npos : std::min(i, line.size());
}

// Why the line cannot be one of the rows, where these do not say it themselves.
std::string add_line(std::string_view line, std::size_t number, Rows& rows, std::vector<Fault>& faults) {
  if (begins_with_blank(line))
    return "a line that begins with a blank goes on with the one before, and there is none";
  line = trimmed(line);
  if (!fault_in(line).empty()) return std::string(fault_in(line));
  const std::size_t end = end_of_key(line);
  if (end == std::string_view::npos) return "a quote that is not closed";
  const std::string_view key = line.substr(0, end);
  if (key.ends_with(':'))
    return fmt::format("'{}': a row is 'KEY VALUE'; aliases stand in `aliases_file`", key.substr(0, 80));
  rows.add(key, trimmed(line.substr(end)), number, faults);
  return {};
}

}  // namespace

Parsed parse_texthash(std::string_view text) {
  const auto rows = std::make_shared<Rows>();
  std::vector<Fault> faults;
  if (text.size() > longest_text) return {nullptr, {{0, 0, "the text is too long"}}};
  LogicalLines lines(text);
  std::string line;
  while (faults.size() < most_faults && lines.next(line)) {
    const std::string fault = add_line(line, lines.number(), *rows, faults);
    if (!fault.empty()) faults.push_back({lines.number(), 1, fault});
  }
  return finish(rows, std::move(faults));
}

}  // namespace relayd::table
