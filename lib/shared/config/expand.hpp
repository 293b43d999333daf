// ${NAME} and ${NAME:-default} inside values, after parsing: a variable can never add a key.
//
// `$$` stands for `$`; a `$` before anything else stands for itself. As in the shell, the default counts when
// the variable is unset or empty. Private to this room.
#pragma once

#include <string>
#include <vector>

#include "shared/config/node.hpp"

namespace relayd::config {

// Replaces in every scalar value below `node`; what is wrong is appended to `errors` and
// its node becomes `refused`.
void expand(Node& node, const Environment& environment, const std::string& file,
            std::vector<Diagnostic>& errors);

}  // namespace relayd::config
