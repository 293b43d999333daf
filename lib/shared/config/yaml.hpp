// YAML text to a Node tree; the only door to yaml-cpp.
//
// Refuses what makes a configuration mean something else than it seems to say: duplicate keys, a second
// document, tags, keys that are not text. Bounded in depth and in number of values, and more strictly in
// those that aliases copy: a short text must not become a large tree. Private to this room.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "shared/config/node.hpp"

namespace relayd::config {

inline constexpr std::size_t max_depth = 32;
inline constexpr std::size_t max_nodes = 2'000'000;  // about 200,000 sender rules
inline constexpr std::size_t max_copies = 100'000;

// Appends what is wrong to `errors`. Nothing when the text could not be read to its end; an empty document is
// a null node.
std::optional<Node> parse_yaml(std::string_view text, const std::string& file,
                               std::vector<Diagnostic>& errors);

}  // namespace relayd::config
