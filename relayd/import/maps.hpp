// The tables that a parameter names: `hash:/etc/postfix/sasl_passwd, inline:{...}`.
//
// Read from their sources, which stand beside what postmap(1) made of them. Pure: whoever reads files is
// handed in.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "import/place.hpp"

namespace relayd::importing {

struct Row {
  std::string key;  // in small letters, as postmap folds it
  std::string value;
  Place where;
};

struct Map {
  enum class Kind { rows, patterns, fixed, unusable };
  Kind kind = Kind::unusable;
  std::string name;       // "hash:/etc/postfix/virtual"; without what an inline or static table holds
  std::string path;       // of a file
  std::vector<Row> rows;  // of `fixed` one without a key; of `patterns` the key is /PATTERN/ with its flags
  std::unordered_map<std::string, std::size_t> index;  // of `rows`, by key
  std::string complaint;                               // why it is unusable, and what to do
};

// Reads a compiled table (`type:path`), as `postmap -s` does; nothing: there is no postmap.
using DumpTable = std::function<std::optional<std::string>(const std::string& table)>;

struct MapReader {
  ReadFile read;
  DumpTable dump;
  std::string default_type = "hash";
};

// `aliases`: rows are "KEY: VALUE", as in aliases(5).
std::vector<Map> read_maps(std::string_view list, const Place& where, const MapReader& reader,
                           bool aliases = false);

// What the first of the tables that has the key says. Null: none has it. Patterns are not asked.
const Row* find_row(const std::vector<Map>& maps, std::string_view key);

}  // namespace relayd::importing
