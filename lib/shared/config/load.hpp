// Shared by the ways to load; the last step of each: a tree becomes a Config. Private to this room.
#pragma once

#include <string>

#include "shared/config/readable.hpp"
#include "shared/config/reader.hpp"

namespace relayd::config {

// Reads and checks `root`, fills in the defaults that depend on the machine, and puts the complaints in the
// file's order. `file` becomes Config::file.
Loaded load_tree(Reader reader, const Node& root, const std::string& file);

// The same as far as it can be read, and without the checks. `is_cut`: a part of `admin` or `queue` is
// missing.
Readable read_tree(Reader reader, const Node& root, const std::string& file, bool is_cut = false);

// Why a file of that owner does not meet the demand; empty: it does.
std::string fault_of_owner(const struct stat& status, const Demands& demands);

// Puts the listeners that RELAYD_LISTEN and RELAYD_ALLOW mean, if they are set.
void listen_by_environment(Node& root, const Environment& environment);

// Where relayd listens if nothing says it.
std::vector<Listener> default_listeners();

}  // namespace relayd::config
