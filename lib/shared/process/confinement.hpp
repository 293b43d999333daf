// Confinement: what the kernel refuses this process from here on, whoever gets hold of it: Landlock (files)
// and seccomp (system calls), over no_new_privs.
//
// Called before there is a second thread: Landlock holds for the thread that asked and for what it starts.
// Programs that are started inherit all of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "shared/process/user.hpp"

namespace relayd::process {

// What a configuration needs besides the network and reading files.
struct Needs {
  std::vector<std::string> directories;  // where files are made, changed and removed: absolute, without links
  std::vector<std::string> sockets;      // unix sockets that are bound, and removed at the end: likewise
  bool programs = false;                 // starts programs
  bool operator==(const Needs&) const = default;
};

struct Confinement {
  Needs needs;       // what it was made for
  int landlock = 0;  // the version of the kernel's; 0: not in force
  bool seccomp = false;
  std::string lacks;  // in words, what is not in force and why; empty: nothing
};

// "Landlock 4, seccomp"; with what it lacks behind it.
std::string to_string(const Confinement& confinement);

// Afterwards the process and what it starts cannot gain privileges; cannot write, make or remove files but in
// those of the directories that are there, and unix sockets beside them, nor run programs where none are
// needed; cannot make files set-user-ID, type into a terminal, trace, mount, load modules, make namespaces or
// set the clock. What the kernel lacks or refuses is left out, and is named.
Confinement confine(Needs needs);

// Call it when all unix sockets are bound. From then on none is made outside needs.directories; outside them
// one is removed only where its folder belongs to this user, who is not root. Throws std::system_error.
void forbid_new_unix_sockets(const Confinement& confinement);

// The user that a process runs as, and its confinement.
struct Standing {
  User user = {};
  std::optional<Confinement> confinement = {};  // nothing: it is not confined
};

// What wanted needs and granted does not have: directories, and "command" for programs. Sockets are not
// compared: they change with the next start only.
std::vector<std::string> beyond(const Needs& granted, const Needs& wanted);

}  // namespace relayd::process
