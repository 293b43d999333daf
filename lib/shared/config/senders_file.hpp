// The rules of `senders_file`: those of `senders`, as comma-separated values. Private to this room.
#pragma once

#include "shared/config/reader.hpp"

namespace relayd::config {

// Adds the file's rules behind those of the configuration, each checked as one of these, with its own file
// and line in complaints. The first row names the columns: the keys of a rule; `password_file` and
// `password_env` are `password: {file: …}` and `{env: …}`, and likewise for next_password. An empty field is
// a key that is not there; several upstreams have a ';' between them. Where secrets are not demanded, a file
// that cannot be read is a warning.
void read_senders_file(Reader& reader, const Node& root, Config& config);

}  // namespace relayd::config
