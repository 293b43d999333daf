// The RELAYD_* variables: which there are, which keys they stand for, and what is said of those that do
// nothing. Private to this room.
#pragma once

#include <string_view>
#include <vector>

#include "shared/config/reader.hpp"

namespace relayd::config {

// A variable that is one key. RELAYD_LISTEN and RELAYD_ALLOW are not: they make the listeners; RELAYD_FROM
// makes a rule.
struct Variable {
  std::string_view name;
  std::vector<std::string_view> path;
  bool is_list = false;  // with commas
};
const std::vector<Variable>& variables();

inline constexpr std::string_view listen_variable = "RELAYD_LISTEN";
inline constexpr std::string_view allow_variable = "RELAYD_ALLOW";
inline constexpr std::string_view from_variable = "RELAYD_FROM";

// An empty variable is as good as none: compose files pass on what is not set as empty. So is one that
// Kubernetes or a link of Docker sets for a service that is called "relayd".
std::string_view value_of(const Environment& environment, std::string_view name);

// Complains of variables that relayd does not know; of a start without a file.
void complain_of_unknown(Reader& reader, const Environment& environment);

// The same, and of those that have no effect beside a file, of which this is the text and the tree. Those
// that the text names are the file's.
void complain_of_strays(Reader& reader, const Environment& environment, std::string_view text,
                        const Node& root);

}  // namespace relayd::config
