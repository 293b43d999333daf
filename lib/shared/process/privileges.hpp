// Privileges: how a process gives up what it was started with (capabilities(7)).
//
// For commands that read secrets, before there is a second thread: a capability belongs to a thread.
// become() and drop_capabilities() throw std::system_error.
#pragma once

#include "shared/process/user.hpp"

namespace relayd::process {

// Whether root may become another user here: a container may have been refused that.
bool may_become();

// Is this user from here on, with its groups and HOME, USER and LOGNAME. Of root's capabilities the process
// keeps one, to bind ports below 1024; the programs it starts get none. Also for root itself, who then is
// like any other user to the kernel, but owns root's files. Only root may call it.
void become(const User& user);

// Programs that are started inherit none.
void drop_ambient_capabilities();

// Keeps no capability, however it was come by.
void drop_capabilities();

// Files are made for this user alone, and neither a core file nor another process of this user shows the
// memory, which holds passwords and mail. To be called again by whoever becomes another user. Throws nothing:
// a service that may not ask for it has that from outside. (A build with AddressSanitizer stays open to its
// leak checker.)
void close_to_others();

}  // namespace relayd::process
