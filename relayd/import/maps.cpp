#include "import/maps.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "shared/base/ascii.hpp"
#include "shared/table/lines.hpp"

namespace relayd::importing {

namespace {

bool is_one_of(std::string_view type, std::initializer_list<std::string_view> types) {
  return std::ranges::find(types, type) != types.end();
}

// Where the key of a line ends: at a blank that is neither quoted nor behind a backslash; in aliases at a
// ':'.
std::size_t end_of_key(std::string_view line, bool aliases) {
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\\')
      ++i;
    else if (line[i] == '"')
      quoted = !quoted;
    else if (!quoted &&
             (aliases ? line[i] == ':' : ascii::line_space.find(line[i]) != std::string_view::npos))
      return i;
  }
  return line.size();
}

// The end of /PATTERN/FLAGS.
std::size_t end_of_pattern(std::string_view line) {
  std::size_t at = line.starts_with('!') ? 1 : 0;
  if (at >= line.size()) return line.size();
  const char delimiter = line[at++];
  for (; at < line.size() && line[at] != delimiter; ++at)
    if (line[at] == '\\') ++at;
  return std::min(line.find_first_of(" \t", std::min(at, line.size())), line.size());
}

void add_rows(Map& map, std::string_view text, const std::string& file, bool aliases) {
  table::LogicalLines lines(text);
  std::string line;
  while (lines.next(line)) {
    const std::string_view whole = table::trimmed(line);
    const bool patterns = map.kind == Map::Kind::patterns;
    const std::size_t end = patterns ? end_of_pattern(whole) : end_of_key(whole, aliases);
    std::string key(table::trimmed(whole.substr(0, end)));
    if (!patterns) key = ascii::lower(key);
    if (key.size() > 1 && key.starts_with('"') && key.ends_with('"')) key = key.substr(1, key.size() - 2);
    if (!patterns && !map.index.emplace(key, map.rows.size()).second) continue;  // the first counts
    const std::size_t value = std::min(end + (aliases ? 1 : 0), whole.size());
    map.rows.push_back(
        {std::move(key), std::string(table::trimmed(whole.substr(value))), {file, lines.number()}});
  }
}

// inline:{ {key = value}, key=value }
void add_inline(Map& map, std::string_view text, const Place& where) {
  text = table::trimmed(text);
  if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
  for (const std::string& word : words_of(text)) {
    std::string_view pair = word;
    if (pair.starts_with('{') && pair.ends_with('}')) pair = pair.substr(1, pair.size() - 2);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::string key = ascii::lower(table::trimmed(pair.substr(0, equals)));
    if (!map.index.emplace(key, map.rows.size()).second) continue;
    map.rows.push_back(
        {std::move(key), std::string(table::trimmed(pair.substr(std::min(equals + 1, pair.size())))), where});
  }
}

void read_file(Map& map, const std::string& type, const MapReader& reader, bool aliases) {
  Result<std::string> text = reader.read(map.path);
  std::string file = map.path;
  if (!text && is_one_of(type, {"hash", "btree", "lmdb", "dbm"}) && reader.dump) {
    if (std::optional<std::string> dumped = reader.dump(map.name)) {
      text = std::move(*dumped);
      file = map.path + " (by postmap -s)";
      aliases = false;
    }
  }
  if (!text) {
    map.kind = Map::Kind::unusable;
    map.complaint = fmt::format(
        "{}: {}; where only what postmap made of it is left, write its source with "
        "`postmap -s {}` and import again",
        map.path, text.error(), map.name);
    return;
  }
  if (text->find('\0') != std::string::npos) {
    map.kind = Map::Kind::unusable;
    map.complaint = fmt::format("{} has a NUL: it is no text", map.path);
    return;
  }
  add_rows(map, *text, file, aliases);
}

Map read_map(std::string word, const Place& where, const MapReader& reader, bool aliases) {
  if (word.starts_with("proxy:")) word.erase(0, 6);
  if (word.starts_with('/')) word = reader.default_type + ":" + word;
  const std::size_t colon = std::min(word.find(':'), word.size());
  const std::string type = word.substr(0, colon);
  const std::string rest = word.substr(std::min(colon + 1, word.size()));
  Map map;
  map.name = word;
  if (is_one_of(type, {"inline", "static"})) {
    map.name = type;
    map.kind = type == "inline" ? Map::Kind::rows : Map::Kind::fixed;
    if (type == "inline")
      add_inline(map, rest, where);
    else
      map.rows.push_back({"",
                          std::string(table::trimmed(rest.starts_with('{') && rest.ends_with('}')
                                                         ? std::string_view(rest).substr(1, rest.size() - 2)
                                                         : std::string_view(rest))),
                          where});
  } else if (is_one_of(type, {"hash", "btree", "lmdb", "dbm", "texthash", "cidr"})) {
    map.kind = Map::Kind::rows;
    map.path = rest;
    read_file(map, type, reader, aliases);
  } else if (is_one_of(type, {"regexp", "pcre"})) {
    map.kind = Map::Kind::patterns;
    map.path = rest;
    read_file(map, type, reader, aliases);
  } else if (is_one_of(type, {"mysql", "pgsql", "sqlite", "ldap", "memcache", "socketmap", "tcp"})) {
    map.complaint = fmt::format(
        "tables of type {} are not carried over: relayd does not ask databases yet; "
        "write their rows to a file, as `tables` has it",
        type);
  } else {
    map.complaint = fmt::format("tables of type '{}' are not known here", type.substr(0, 40));
  }
  return map;
}

}  // namespace

std::vector<Map> read_maps(std::string_view list, const Place& where, const MapReader& reader, bool aliases) {
  std::vector<Map> maps;
  for (std::string& word : words_of(list)) maps.push_back(read_map(std::move(word), where, reader, aliases));
  return maps;
}

const Row* find_row(const std::vector<Map>& maps, std::string_view key) {
  const std::string folded = ascii::lower(key);
  for (const Map& map : maps) {
    if (map.kind == Map::Kind::fixed) return &map.rows.front();
    if (map.kind != Map::Kind::rows) continue;
    const auto found = map.index.find(folded);
    if (found != map.index.end()) return &map.rows[found->second];
  }
  return nullptr;
}

}  // namespace relayd::importing
