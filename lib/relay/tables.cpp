#include "relay/tables.hpp"

#include <fmt/format.h>

#include <utility>

#include "shared/config/file.hpp"
#include "shared/table/parse.hpp"

namespace relayd {

namespace {

table::Parsed parse(const config::Table& settings, std::string_view text) {
  if (!settings.regexp.empty()) return table::parse_regexp(text);
  return settings.file.ends_with(".csv") ? table::parse_csv(text) : table::parse_texthash(text);
}

void tell(const std::vector<table::Fault>& faults, const std::string& file,
          std::vector<config::Diagnostic>& errors) {
  for (const table::Fault& fault : faults)
    errors.push_back({file, {static_cast<int>(fault.line), static_cast<int>(fault.column)}, fault.text});
  if (faults.size() >= table::most_faults)
    errors.push_back({file, {}, fmt::format("{} faults: the rest is not read", faults.size())});
}

}  // namespace

TablesResult make_tables(const config::Config& config) {
  TablesResult result;
  auto tables = std::make_shared<table::Tables>();
  for (const config::Table& settings : config.tables) {
    const std::string& path = settings.regexp.empty() ? settings.file : settings.regexp;
    const Result<std::string> text = config::read_trusted(path, table::longest_text);
    if (!text) {
      result.errors.push_back({config.file, settings.where, text.error()});
      continue;
    }
    table::Parsed parsed = parse(settings, *text);
    tell(parsed.faults, path, result.errors);
    if (parsed.table) tables->add(settings.name, std::move(parsed.table));
  }
  result.tables = std::move(tables);
  return result;
}

}  // namespace relayd
