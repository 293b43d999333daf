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

// What a configuration needs beyond sockets and reading.
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

// All is bound: from here on no socket is made either, and one is removed only where its folder is this
// user's.
void forbid_sockets(const Confinement& confinement);

// What a process is to the kernel.
struct Standing {
  User user = {};
  std::optional<Confinement> confinement = {};  // nothing: it is not confined
};

// Whether a process confined for `granted` can do what `wanted` needs; otherwise what is missing.
std::vector<std::string> beyond(const Needs& granted, const Needs& wanted);

}  // namespace relayd::process
