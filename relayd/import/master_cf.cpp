#include "import/master_cf.hpp"

#include <fmt/format.h>

#include "import/place.hpp"
#include "shared/table/lines.hpp"

namespace relayd::importing {

namespace {

constexpr std::size_t columns = 8;  // name, type, private, unprivileged, chroot, wakeup, maxproc, command

// Words with blanks between them; `{ a b }` is one, without its braces.
std::vector<std::string> arguments_of(std::string_view line) {
  std::vector<std::string> words;
  for (std::size_t at = 0;;) {
    at = std::min(line.find_first_not_of(" \t\r\n", at), line.size());
    if (at == line.size()) return words;
    if (line[at] == '{') {
      const std::size_t end = std::min(line.find('}', at), line.size());
      words.emplace_back(table::trimmed(line.substr(at + 1, end - at - 1)));
      at = std::min(end + 1, line.size());
      continue;
    }
    const std::size_t end = std::min(line.find_first_of(" \t\r\n", at), line.size());
    words.emplace_back(line.substr(at, end - at));
    at = end;
  }
}

void take_option(Service& service, std::string_view option) {
  const std::size_t equals = option.find('=');
  if (equals == std::string_view::npos) {
    service.arguments.emplace_back(option);
    return;
  }
  service.overrides[std::string(table::trimmed(option.substr(0, equals)))] =
      table::trimmed(option.substr(equals + 1));
}

}  // namespace

Result<MasterCf> parse_master_cf(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return Error{"it has a NUL: it is no text"};
  MasterCf master;
  table::LogicalLines lines(text);
  std::string line;
  while (lines.next(line)) {
    const std::vector<std::string> words = arguments_of(line);
    if (words.size() < columns || table::begins_with_blank(line)) {
      master.faults.push_back(lines.number());
      continue;
    }
    Service service{words[0], words[1], words[7], {}, {}, lines.number()};
    for (std::size_t i = columns; i < words.size(); ++i) {
      if (words[i] == "-o" && i + 1 < words.size())
        take_option(service, words[++i]);
      else if (words[i].starts_with("-o") && words[i].size() > 2)
        take_option(service, std::string_view(words[i]).substr(2));
      else
        service.arguments.push_back(words[i]);
    }
    master.services.push_back(std::move(service));
  }
  return master;
}

}  // namespace relayd::importing
