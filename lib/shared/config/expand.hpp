// ${NAME} and ${NAME:-default} inside values, after parsing: a variable can never add a key.
//
// `$$` stands for `$`; a `$` before anything else stands for itself. As in the shell, the default counts when
// the variable is unset or empty. Private to this room.
#pragma once

#include "shared/config/node.hpp"

namespace relayd::config {

// Replaces in every scalar value below `node`; one where that cannot be done stays as it is written and
// becomes `refused`.
void expand(Node& node, const Environment& environment);

}  // namespace relayd::config
