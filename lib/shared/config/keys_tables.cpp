// The keys of tables.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "shared/config/keys.hpp"

namespace relayd::config {

namespace {

// What postmap makes of a source: relayd reads the source.
constexpr auto indices = std::to_array<std::string_view>({".db", ".lmdb", ".cdb", ".dir", ".pag"});
constexpr auto types =
    std::to_array<std::string_view>({"hash", "btree", "lmdb", "cdb", "dbm", "sdbm", "texthash"});
constexpr auto types_of_patterns = std::to_array<std::string_view>({"regexp", "pcre"});

// What is wrong with a path as Postfix writes it, with its type before it; empty: nothing.
std::string fault_of_type(std::string_view path) {
  const std::size_t colon = path.find(':');
  if (colon == std::string_view::npos) return {};
  const std::string_view type = path.substr(0, colon), rest = path.substr(colon + 1);
  if (std::ranges::find(types, type) != types.end())
    return fmt::format("'{}' is how Postfix names a table: relayd reads its source, {{file: {}}}", path,
                       rest);
  if (std::ranges::find(types_of_patterns, type) != types_of_patterns.end())
    return fmt::format("'{}' is how Postfix names a table: write {{regexp: {}}}", path, rest);
  return {};
}

std::string fault_of(std::string_view path) {
  for (const std::string_view ending : indices)
    if (path.ends_with(ending))
      return fmt::format("{} is what postmap makes of a source: write {{file: {}}}", path,
                         path.substr(0, path.size() - ending.size()));
  return fault_of_type(path);
}

Key<Table> source(std::string_view name, std::string Table::*field) {
  return {name, [field](Reader& reader, const Node& node, Table& out) {
            const Reader::Outside outside(reader);
            std::optional<std::string> path = reader.path(node);
            if (!path) return;
            const std::string fault = fault_of(node.text);
            if (!fault.empty()) return reader.error(node.place, fault);
            out.*field = std::move(*path);
          }};
}

}  // namespace

const Keys<Table>& keys_of(const Table*) {
  static const Keys<Table> keys = {
      source("file", &Table::file),
      source("regexp", &Table::regexp),
  };
  return keys;
}

}  // namespace relayd::config
