// Node: a configuration as a tree of our own, before it has types.
//
// Built from YAML (yaml.hpp) or from environment variables (environment.cpp), read once by the key table
// (keys.hpp), then dropped. Every node knows where it stands, so that each later complaint can say so.
// Private to this room.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/config/config.hpp"

namespace relayd::config {

// Where a node came from: a position in the file or in another one that the file names, or the variable that
// carried it (line 0 then).
struct Place {
  Location where;
  std::string_view source;  // the variable or the other file, which outlives the load; empty: the file
};

struct Entry;

struct Node {
  enum class Kind { null, scalar, list, map, refused };  // refused: a scalar with a complaint
  Kind kind = Kind::null;
  Place place;
  std::string text;               // of a scalar, after ${NAME} was replaced
  std::string complaint;          // why ${NAME} could not be replaced; told by whoever wants the text
  bool from_environment = false;  // the whole text is a variable's value: nothing of it stands in the file
  std::vector<Node> items;        // of a list
  std::vector<Entry> entries;     // of a map, in the file's order

  bool has(std::string_view key) const { return find(key) != nullptr; }
  const Node* find(std::string_view key) const;
  Node* find(std::string_view key);
  // The place of the key, or of this node when it has no such key: where to point when the key is at fault.
  const Place& place_of(std::string_view key) const;
};

// One key of a map, with the place of the key itself.
struct Entry {
  std::string key;
  Place place;
  Node value;
};

}  // namespace relayd::config
