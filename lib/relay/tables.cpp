#include "relay/tables.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "rewrite/copies.hpp"
#include "route/senders_table.hpp"
#include "shared/config/file.hpp"
#include "shared/config/table_path.hpp"
#include "shared/config/value.hpp"
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

// Empty: it can be used.
using Check = std::function<std::string(std::string_view value)>;

constexpr std::string_view unknown_verdict =
    "a verdict is a word that is written out: no group of the pattern can stand for it";

constexpr std::string_view unknown_upstream =
    "an upstream's name is written out: no group of the pattern can stand for it";

class Values {
 public:
  Values(const config::Config& config, const table::Tables& tables) : config_(config), tables_(tables) {}

  // `unknown`: the fault of a value that depends on what its pattern matches; empty: it is none.
  void check(const std::string& name, std::string_view unknown, const Check& fault_of) {
    const table::Table* const table = tables_.table(name);
    if (!table || !checked_.emplace(name, unknown).second) return;
    std::vector<table::Fault> faults;
    table->each([&](const table::Row& row) {
      if (faults.size() == table::most_faults) return;
      std::string fault = row.value.empty() ? std::string(unknown) : fault_of(row.value);
      if (!fault.empty()) faults.push_back({row.line, 1, std::move(fault)});
    });
    tell(faults, place_in_table(config_, name, 0).file, errors_);
  }

  std::vector<config::Diagnostic> take() { return std::move(errors_); }

 private:
  const config::Config& config_;
  const table::Tables& tables_;
  std::set<std::pair<std::string, std::string_view>> checked_;
  std::vector<config::Diagnostic> errors_;
};

}  // namespace

TablePlace place_in_table(const config::Config& config, std::string_view table, std::size_t line) {
  const auto settings = std::ranges::find(config.tables, table, &config::Table::name);
  if (settings == config.tables.end()) return {};
  return {path_of(*settings), {static_cast<int>(line), line > 0 ? 1 : 0}};
}

TablePlace place_of_key(const config::Config& config, const table::Tables& tables, std::string_view table,
                        std::string_view key) {
  const table::Table* const known = tables.table(table);
  return place_in_table(config, table, known ? known->line_of(key) : 0);
}

std::vector<config::Diagnostic> check_values(const config::Config& config, const table::Tables& tables) {
  Values values(config, tables);
  const Check of_verdict = [](std::string_view value) {
    const Result<config::AccessVerdict> verdict = config::parse_verdict(value);
    return verdict ? std::string() : verdict.error();
  };
  const Check of_copies = [](std::string_view value) {
    const Result<std::vector<std::string>> targets = rewrite::parse_copies(value);
    return targets ? std::string() : targets.error();
  };
  const Check of_upstreams = [](std::string_view value) {
    const Result<std::vector<std::string>> names = route::parse_upstreams(value);
    return names ? std::string() : names.error();
  };
  if (!config.senders_table.empty()) values.check(config.senders_table, unknown_upstream, of_upstreams);
  for (const auto* const rules : {&config.access.senders, &config.access.recipients})
    for (const config::AccessRule& rule : *rules)
      if (!rule.table.empty()) values.check(rule.table, unknown_verdict, of_verdict);
  for (const config::Bcc& rule : config.bcc)
    if (!rule.table.empty()) values.check(rule.table, {}, of_copies);
  return values.take();
}

TablesResult make_tables(const config::Config& config) {
  TablesResult result;
  auto tables = std::make_shared<table::Tables>();
  for (const config::Table& settings : config.tables) {
    const std::string& path = path_of(settings);
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
