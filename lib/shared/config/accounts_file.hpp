// The accounts of `accounts_file`: lines NAME:SCRAM-SHA-256$ITERATIONS:SALT$STORED:SERVER (RFC 5803 3), as
// `relayd hash-password` prints the second part. Private to this room.
#pragma once

#include "shared/config/reader.hpp"

namespace relayd::config {

// Adds the file's accounts behind those of the configuration, each with its file and line. Empty lines and
// those that begin with '#' are comments. What stands behind the name is parsed when it is used. Reads
// nothing where secrets are not demanded: there is nothing else in it. No complaint quotes more than a name.
void read_accounts_file(Reader& reader, const Node& root, Config& config);

}  // namespace relayd::config
